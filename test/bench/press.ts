/**
 * What the bench has the approval page do: press the button at the moment when it can be pressed. The function is sent to the page as
 * source text: it may use nothing from outside itself but types.
 */

/** Presses the first button of this name that is not disabled, once; `performance` gets the mark "pressed" then. */
export function pressWhenReady(name: string): void {
  const watch = new MutationObserver(press);
  watch.observe(document, { childList: true, subtree: true, attributes: true });

  function press(): void {
    const button = [...document.querySelectorAll("button")].find((one) => one.textContent.trim() === name);
    if (button === undefined || button.disabled) return;
    watch.disconnect();
    performance.mark("pressed");
    button.click();
  }
}
