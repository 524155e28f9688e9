import { testGroup } from "./each.ts";
import { JOSE } from "./jose.ts";

testGroup(JOSE);
