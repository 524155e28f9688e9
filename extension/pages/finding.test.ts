import { expect, test } from "vitest";
import { type LedgerSeen, ledgerSteps, type Step, type TrezorSeen, trezorSteps } from "./finding.ts";

const LEDGER: LedgerSeen = { webUsb: true, linux: false, visible: 1, tried: { outcome: "ready", detail: "" } };
const TREZOR: TrezorSeen = {
  linux: false,
  permission: "granted",
  suite: true,
  tried: { outcome: "ready", detail: "" },
};

const short = (steps: readonly Step[]) => steps.map(({ state }) => state).join(" ");
const wrong = (steps: readonly Step[]) => steps.find(({ state }) => state === "wrong");

test("all is fine, with and without Linux", () => {
  expect(short(ledgerSteps(LEDGER))).toBe("fine fine fine fine fine fine fine");
  expect(short(ledgerSteps({ ...LEDGER, linux: true }))).toBe("fine fine fine fine fine fine fine fine");
  expect(short(trezorSteps(TREZOR))).toBe("fine fine fine fine fine fine fine");
});

test("the first cause hides what comes after it, and has one thing to do", () => {
  const noUsb = ledgerSteps({ ...LEDGER, webUsb: false, visible: 0, tried: null });
  expect(short(noUsb)).toBe("wrong later later later later later later");
  expect(wrong(noUsb)?.action).toContain("Chromium");
  const none = ledgerSteps({ ...LEDGER, visible: 0, tried: null });
  expect(short(none)).toBe("fine wrong later later later later later");
  expect(wrong(none)?.command).toBeUndefined();
  const silent = trezorSteps({ ...TREZOR, suite: false, tried: null });
  expect(wrong(silent)?.text).toBe("Trezor Suite is not running on this computer.");
});

test.each([
  ["in-use", "No other program holds it"],
  ["locked", "It is unlocked"],
  ["dashboard", "Its Ethereum app is open"],
  ["wrong-app", "Its Ethereum app is open"],
  ["app-too-old", "The Ethereum app is recent enough"],
  ["wrong-device", "It holds an address that is enrolled for you"],
] as const)("a Ledger: %s stands at its step", (outcome, title) => {
  const found = wrong(ledgerSteps({ ...LEDGER, tried: { outcome, detail: "" } }));
  expect(found?.title).toBe(title);
  expect(found?.action).not.toBe("");
});

test.each([
  ["local-network-blocked", "This browser lets OpenCustody reach this computer"],
  ["no-permission", "Trezor Suite lets OpenCustody ask"],
  ["not-connected", "Trezor Suite sees your Trezor"],
  ["firmware-too-old", "It is set up, and its firmware is recent enough"],
  ["wrong-device", "It holds an address that is enrolled for you"],
] as const)("a Trezor: %s stands at its step", (outcome, title) => {
  expect(wrong(trezorSteps({ ...TREZOR, tried: { outcome, detail: "" } }))?.title).toBe(title);
});

test("on Linux the missing rule is named, as one line to copy", () => {
  const denied = { outcome: "in-use" as const, detail: "SecurityError: Access denied." };
  const found = wrong(ledgerSteps({ ...LEDGER, linux: true, tried: denied }));
  expect(found?.title).toBe("Linux lets you use it");
  expect(found?.command).toBe(
    `printf '%s\\n' 'SUBSYSTEM=="usb", ATTRS{idVendor}=="2c97", TAG+="uaccess"' 'KERNEL=="hidraw*", ATTRS{idVendor}=="2c97", TAG+="uaccess"' | sudo tee /etc/udev/rules.d/70-ledger.rules && sudo udevadm control --reload-rules && sudo udevadm trigger`,
  );
  const absent = wrong(trezorSteps({ ...TREZOR, linux: true, tried: { outcome: "not-connected", detail: "" } }));
  expect(absent?.command).toContain("51-trezor.rules");
});
