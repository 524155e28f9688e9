import { DISK } from "./disk.ts";
import { testGroup } from "./each.ts";

testGroup(DISK);
