import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// No inline script, no inline style, nothing as a data: address: what the portal's Content-Security-Policy allows.
export default defineConfig({
  base: "/",
  plugins: [react()],
  build: {
    target: "es2021",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    chunkSizeWarningLimit: 900,
    rollupOptions: { output: { manualChunks: { ui: ["react", "react-dom", "@mantine/core"] } } },
  },
});
