/** The end of something that has parts: one that cannot be ended well does not keep the others. Logs nothing. */

/**
 * Ends the parts in their order, each when the one before has ended, whatever another one threw.
 * @throws the first error, when all have ended
 */
export async function endAll(...ends: readonly (() => unknown)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const end of ends) {
    try {
      await end();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}
