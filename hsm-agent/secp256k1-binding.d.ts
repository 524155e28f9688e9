/** The part of npm `secp256k1` that secp256k1.ts asks for by its own checks; the package has no types. */
declare module "secp256k1/bindings.js" {
  const binding: unknown;
  export default binding;
}
