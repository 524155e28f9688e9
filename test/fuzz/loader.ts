/**
 * Makes the extension's device files load in Node: Ledger's transport as CommonJS, which is the form of it that Node can read, and for
 * Trezor's client a socket in memory in the place of `ws`. To be imported before them. Changes nothing else.
 */
import { createRequire, registerHooks } from "node:module";

const TRANSPORT = "@ledgerhq/hw-transport-webusb";
const here = createRequire(import.meta.url);
// The bundle has the class itself as the default export; so has this.
const source = `import { createRequire } from "node:module";
export default createRequire(${JSON.stringify(import.meta.url)})("${TRANSPORT}").default;`;

registerHooks({
  resolve: (specifier, context, next) => {
    if (specifier === TRANSPORT && context.conditions.includes("import"))
      return { url: `data:text/javascript,${encodeURIComponent(source)}`, shortCircuit: true };
    if (specifier === "ws" && context.parentURL?.includes("@trezor/websocket-client") === true)
      return { url: new URL("suite-socket.ts", import.meta.url).href, shortCircuit: true };
    return next(specifier, context);
  },
});

// Ledger's packages say on the console what a device that is reset answers; here it answers a million times.
here(TRANSPORT);
globalThis.location ??= { origin: "chrome-extension://fuzz" } as Location;
