/** Two empty boxes among ten: what the person reads on the device and types. The other eight stay empty: the page prints nothing. */
import { useState } from "preact/hooks";
import type { Vendor } from "../../protocol/vendor.ts";
import type { DeviceModel } from "../devices/device.ts";
import { answerOf, type Challenge, challengeOf, GROUPS, placeWords, typedGroup } from "./challenge.ts";
import { modelName } from "./wording.ts";

interface Props {
  readonly address: string;
  readonly vendor: Vendor;
  readonly model: DeviceModel;
  /** The device still shows the address. */
  readonly asked: boolean;
  readonly onShow: () => void;
  readonly onMatch: () => void;
}

function newChallenge(): Challenge {
  return challengeOf(crypto.getRandomValues(new Uint8Array(64)));
}

export function AddressQuestion({ address, vendor, model, asked, onShow, onMatch }: Props) {
  const [challenge, setChallenge] = useState(newChallenge);
  const [typed, setTyped] = useState<[string, string]>(["", ""]);
  const [wrong, setWrong] = useState("");
  const complete = typed.every((text) => typedGroup(text).length === 4);

  const submit = (event: Event): void => {
    event.preventDefault();
    if (!complete) return;
    const answer = answerOf(challenge, typed, address);
    if (answer === "matches") return onMatch();
    setTyped(["", ""]);
    if (answer === "differs") {
      const left = challenge.left - 1;
      setChallenge({ ...challenge, left });
      setWrong(
        `That is not what your ${vendor} shows there. Count again: ${left} ${left === 1 ? "try" : "tries"} left.`,
      );
    } else {
      setChallenge(newChallenge());
      setWrong("Three answers did not match. Start again: the places are new. If it stays so, call your operator.");
    }
  };

  const [first, second] = challenge.places;
  return (
    <form class="question" onSubmit={submit}>
      <h2>Read the address on your {modelName(model)}</h2>
      <p>
        Your {vendor} shows an address. Type {placeWords(first)} and {placeWords(second)} of it, counted after{" "}
        <code>0x</code>. Capitals do not matter. This page does not show the address: what counts is your device's
        screen.
      </p>
      <div class="boxes" role="group" aria-label="The address after 0x, in ten groups of four">
        {Array.from({ length: GROUPS }, (_, place) => {
          const at = challenge.places.indexOf(place);
          const label = `${place * 4 + 1}–${place * 4 + 4}`;
          if (at < 0) {
            return (
              <span key={place} class="blank" aria-hidden="true">
                <span class="dots">····</span>
                <span class="where">{label}</span>
              </span>
            );
          }
          return (
            <label key={place} class="fill">
              <input
                type="text"
                value={typed[at]}
                maxLength={4}
                size={4}
                spellcheck={false}
                autocomplete="off"
                autocapitalize="off"
                aria-label={placeWords(place)}
                onInput={(event) => {
                  const text = event.currentTarget.value;
                  setTyped((before) => (at === 0 ? [text, before[1]] : [before[0], text]));
                }}
              />
              <span class="where">{label}</span>
            </label>
          );
        })}
      </div>
      <p class="field-problem" role="alert">
        {wrong}
      </p>
      <div class="row">
        <button type="submit" class="primary" disabled={!complete}>
          Compare
        </button>
        <button type="button" disabled={asked} onClick={onShow}>
          Show it again on the device
        </button>
      </div>
      <p class="muted" role="status">
        {asked ? `Your ${vendor} shows the address now. You can approve it there when you have read it.` : ""}
      </p>
    </form>
  );
}
