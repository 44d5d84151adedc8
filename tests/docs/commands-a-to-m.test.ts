/** Commands of the pages from README.md to models.md run. Two files, because together they take minutes one after the other. */
import { testCommands } from "./page-commands.ts";

testCommands((page) => !page.startsWith("docs/") || page < "docs/n");
