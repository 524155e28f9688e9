/** Further help: the six words, the founding, the freeze, and what to do when a profile or a device is lost or copied. Text only. */
import type { ComponentChildren } from "preact";

export function HelpTopics() {
  return (
    <section aria-labelledby="topics">
      <h2 id="topics">Other questions</h2>
      <Topic id="words" title="What are the six words?">
        <p>
          They say in a short form which HSM, which browser, which person, which roles and which device belong together.
          You read them aloud to whoever invited you, and that person types them. If somebody stood between, the words
          would be others.
        </p>
        <p>Three wrong tries end the pairing: then ask for a new invite.</p>
        <p>
          Nobody ever asks you to type them on a web page or in a chat. They are no recovery phrase; your recovery
          phrase is for your device's own screen only, and nobody ever asks for it.
        </p>
      </Topic>
      <Topic id="founding" title="What is the founding?">
        <p>
          The first people and the first policy, signed by every founder on a device. It names every person with every
          address, the rules and the HSM. Nothing else works before all have signed, and from then on people and policy
          change only by a quorum on devices.
        </p>
      </Topic>
      <Topic id="freeze" title="Something is wrong: how do I stop it?">
        <p>
          In the inbox, press Freeze for one vault or for everything. You need no device. Nothing leaves it from then
          on, also what is approved already. Only the admins can lift it, on their devices.
        </p>
        <p>
          It counts when the page says "Received by the agent". If it says "Not received", call the number that it
          names: <code>opencustody freeze</code> works on the agent's host.
        </p>
      </Topic>
      <Topic id="lost-profile" title="My browser or its profile is lost">
        <p>
          Its keys cannot be copied out and not restored. Ask for a new invite under your own name and pair again; your
          device stays the same. Then have the admins remove the old browser: until they do, it still counts as yours.
        </p>
      </Topic>
      <Topic id="lost-device" title="My Ledger or Trezor is lost">
        <p>
          Call an admin. They remove the device, and what it signs does not count any more. Enrol another one. The thief
          needs your browser's keys, too: a device alone approves nothing.
        </p>
        <p>
          A new device with the old recovery phrase has the old address. That is fine when the old one is broken, and
          not when somebody may have it.
        </p>
      </Topic>
      <Topic id="copied-profile" title="Somebody may have copied my browser's profile">
        <p>
          A copied profile is a stolen key. Whoever has it can read your requests and reject or freeze in your name; to
          approve, they need your device as well.
        </p>
        <p>
          Freeze if you fear worse, call an admin, and have this browser removed. Then pair again on a clean computer.
        </p>
      </Topic>
    </section>
  );
}

function Topic({ id, title, children }: { id: string; title: string; children: ComponentChildren }) {
  return (
    <details id={id} class="topic" open={location.hash === `#${id}`}>
      <summary>{title}</summary>
      {children}
    </details>
  );
}
