/** What a script tries with the extension's private keys. Each function runs in the page or worker, and may use nothing from outside itself. */

/** The signing key and the newest receiving key. */
export async function readPrivateKeys(): Promise<CryptoKey[]> {
  return await new Promise((resolve, reject) => {
    const opening = indexedDB.open("opencustody");
    opening.onerror = () => reject(new Error("no database"));
    opening.onsuccess = () => {
      const reading = opening.result.transaction(["key", "sealKeys"]);
      const signing = reading.objectStore("key").getAll();
      const receiving = reading.objectStore("sealKeys").getAll();
      reading.oncomplete = () => {
        opening.result.close();
        const [own] = signing.result as CryptoKeyPair[];
        const newest = (receiving.result as { n: number; pair: CryptoKeyPair }[]).sort((a, b) => b.n - a.n)[0];
        if (own === undefined || newest === undefined) reject(new Error("a key is missing"));
        else resolve([own.privateKey, newest.pair.privateKey]);
      };
    };
  });
}

/** Of each key every way out: "exported", or the name of the error. */
export async function exportAll(keys: CryptoKey[]): Promise<string[]> {
  const { subtle } = crypto;
  const wrapping = await subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["wrapKey"]);
  const how = { name: "AES-GCM", iv: new Uint8Array(12) };
  const answers: string[] = [];
  for (const key of keys) {
    const ways: (() => Promise<unknown>)[] = [];
    for (const one of [key, structuredClone(key)])
      for (const format of ["raw", "pkcs8", "jwk"] as const)
        ways.push(async () => await subtle.exportKey(format as "pkcs8", one));
    for (const format of ["pkcs8", "jwk"] as const)
      ways.push(async () => await subtle.wrapKey(format, key, wrapping, how));
    for (const way of ways) {
      answers.push(
        await way().then(
          () => "exported",
          (error: unknown) => (error instanceof Error ? error.name : "not an error"),
        ),
      );
    }
  }
  return answers;
}
