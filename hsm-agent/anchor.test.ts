/** What the token remembers, over crashes: it refuses an older record, and never the newest. */
import { expect, test } from "vitest";
import { ALICE, BOB, carryOutRestore, companyWithGap, gap, known, lose, show } from "./testing-restore.ts";

test("after a RESTORE that the token was not told of the agent starts, also once it was told by an agent whom nobody has seen yet", async () => {
  const { office, file } = await companyWithGap();
  office.now += 3_600;
  const newest = await known(office);
  office.desk.wake();
  // The token knows more than the backup.
  expect(await lose(office, file)).toMatchObject({ known: newest.size });
  for (const person of [ALICE, BOB]) await show(office, person, newest);
  const { hsm } = office;
  const write = hsm.writeAnchor.bind(hsm);
  hsm.writeAnchor = async () => await Promise.reject(new Error("killed"));
  const id = await carryOutRestore(office, gap(office));
  expect(office.row(id).state).toBe("enacted");
  await office.anchored();
  hsm.writeAnchor = write;
  for (let starts = 0; starts < 3; starts += 1) {
    await office.reopen();
    office.desk.wake();
    await office.anchored();
    expect(office.desk.witnesses.isCurrent).toBe(false);
  }
  const now = await known(office);
  for (const person of [ALICE, BOB]) expect(await show(office, person, now)).toBeUndefined();
  office.now += 60;
  office.desk.wake();
  await office.anchored();
  expect(JSON.parse(hsm.anchor ?? "")).toMatchObject({ act: 2, log: office.desk.journal.logHead() });
  office.dispose();
});
