// The one way pages make elements: htm bound to Preact. Every interpolated text is escaped by construction.
import { h } from "preact";
import htm from "htm";

export const html = htm.bind(h);
