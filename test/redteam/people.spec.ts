import { testGroup } from "./each.ts";
import { PEOPLE } from "./people.ts";

testGroup(PEOPLE);
