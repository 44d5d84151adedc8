import { z } from "zod";

/** A text that names a file, a folder, or either: the help shows `title` in place of the value, and shells complete by it. */
export const pathText = (title: "file" | "folder" | "path"): z.ZodString => z.string().min(1).meta({ title });
