#!/usr/bin/env node
/** Entry of the command line interface. */
import { main } from "./cli.ts";

process.exitCode = await main(process.argv.slice(2));
