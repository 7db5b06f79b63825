// Asks the service. Every address is relative, so that the pages work below any prefix of a proxy.

const NAME = "nextcall.key";
const AWAY = [502, 504]; // what a proxy says of a service that does not answer
let unstored = null; // where the browser keeps nothing

/** The key of this tab, gone when the tab is closed. */
export const key = {
  get() {
    try { return sessionStorage.getItem(NAME) ?? unstored; } catch { return unstored; }
  },
  set(value) {
    unstored = value;
    try { sessionStorage.setItem(NAME, value); } catch { /* kept by the page alone */ }
  },
  forget() {
    unstored = null;
    try { sessionStorage.removeItem(NAME); } catch { /* as above */ }
  },
};

/** The service did not answer: it is away, or too slow. */
export class AwayError extends Error {}

/**
 * Ask, and give what came: status, headers, body (null where it is not JSON), time of the whole trip.
 * Throws AwayError where nothing came, and AbortError where `signal` ended it.
 */
export async function send(path, { body, signal, open = false, seconds = 30 } = {}) {
  const headers = { Accept: "application/json" };
  const known = open ? null : key.get();
  if (known) headers["X-API-Key"] = known;
  const options = { headers, cache: "no-store" };
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    options.method = "POST";
    options.body = JSON.stringify(body);
  }
  const limit = AbortSignal.timeout(seconds * 1000);
  options.signal = signal ? AbortSignal.any([signal, limit]) : limit;
  const start = performance.now();
  try {
    const response = await fetch(path, options);
    const text = await response.text();
    if (AWAY.includes(response.status)) throw new AwayError(`no answer behind the proxy (${response.status})`);
    return {
      status: response.status,
      headers: response.headers,
      body: parsed(text),
      milliseconds: performance.now() - start,
      keyed: Boolean(known),
    };
  } catch (error) {
    if (signal?.aborted || error instanceof AwayError) throw error;
    throw new AwayError(error?.name === "TimeoutError" ? `no answer within ${seconds} seconds` : "no connection");
  }
}

function parsed(text) {
  try { return JSON.parse(text); } catch { return null; }
}

/** Wait until the service answers again; `tried` hears of each attempt that failed. */
export async function untilBack({ signal, tried = () => {} } = {}) {
  for (let pause = 500; ; pause = Math.min(3000, pause * 1.5)) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    if (signal?.aborted) return null;
    try {
      const found = await send("health", { open: true, seconds: 5 });
      if (found.status < 500) return found;
    } catch (error) {
      if (!(error instanceof AwayError)) throw error;
    }
    tried();
  }
}
