import { BROWSER } from "./browser.ts";
import { testGroup } from "./each.ts";

testGroup(BROWSER);
