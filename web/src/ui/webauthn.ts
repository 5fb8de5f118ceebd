// Passkeys: the server's options and our answers are JSON with base64url (WebAuthn level 3's own JSON form).
import { api } from "../api";

type Json = Record<string, unknown>;

function bytes(text: unknown): ArrayBuffer {
  const b = atob(String(text).replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(b, (c) => c.charCodeAt(0)).buffer as ArrayBuffer;
}

function text(b: ArrayBuffer): string {
  let out = "";
  for (const c of new Uint8Array(b)) out += String.fromCharCode(c);
  return btoa(out).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

const ids = (list: unknown) =>
  ((list as Json[] | undefined) ?? []).map((c) => ({ ...c, type: "public-key" as const, id: bytes(c.id) })) as PublicKeyCredentialDescriptor[];

export const canPasskey = () => typeof PublicKeyCredential !== "undefined" && isSecureContext;

async function makePasskey(options: Json) {
  const user = options.user as Json;
  const publicKey = {
    ...options,
    challenge: bytes(options.challenge),
    user: { ...user, id: bytes(user.id) },
    excludeCredentials: ids(options.excludeCredentials),
  } as unknown as PublicKeyCredentialCreationOptions;
  const c = (await navigator.credentials.create({ publicKey })) as PublicKeyCredential;
  const r = c.response as AuthenticatorAttestationResponse;
  return { id: c.id, client_data: text(r.clientDataJSON), attestation: text(r.attestationObject) };
}

async function askPasskey(options: Json) {
  const publicKey = {
    ...options,
    challenge: bytes(options.challenge),
    allowCredentials: options.allowCredentials ? ids(options.allowCredentials) : undefined,
  } as unknown as PublicKeyCredentialRequestOptions;
  const c = (await navigator.credentials.get({ publicKey })) as PublicKeyCredential;
  const r = c.response as AuthenticatorAssertionResponse;
  return {
    id: c.id, client_data: text(r.clientDataJSON), authenticator_data: text(r.authenticatorData), signature: text(r.signature),
  };
}

/** Sign in with one, add it as the second factor, or step up. */
export async function provePasskey(user?: string) {
  const options = await api("POST /session/passkey/challenge", { body: user ? { user } : {}, quiet: true });
  await api("POST /session/passkey", { body: await askPasskey(options), quiet: true });
}

export async function enrolPasskey(label: string) {
  const options = await api("POST /me/passkey", { body: label ? { label } : {} });
  await api("POST /me/passkey/confirm", { body: await makePasskey(options) });
}
