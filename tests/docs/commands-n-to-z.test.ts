/** Commands of the pages from planning.md to wire.md run. */
import { testCommands } from "./page-commands.ts";

testCommands((page) => page.startsWith("docs/n") || page > "docs/n");
