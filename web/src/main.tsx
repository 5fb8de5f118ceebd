import "@mantine/core/styles.css";
import "./app.css";
import { createTheme, MantineProvider } from "@mantine/core";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app";

// Mantine would write its variables into <style> elements, which the portal's policy forbids; those of its own sheet,
// and ours in app.css, are enough.
const theme = createTheme({
  primaryColor: "blue",
  respectReducedMotion: true,
  components: {
    Modal: { defaultProps: { lockScroll: false } },
    Input: { defaultProps: { size: "sm" } },
    InputWrapper: { defaultProps: { withAsterisk: false } }, // nearly all are needed: what is not says so
  },
});

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto" withCssVariables={false} withGlobalClasses={false}>
      <App />
    </MantineProvider>
  </StrictMode>,
);
