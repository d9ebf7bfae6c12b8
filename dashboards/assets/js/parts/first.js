// What to do when nothing is there yet.
import { html } from "../dom.js";
import { Copy } from "./copy.js";

const RUN = "docker run -d -P --label SERVICE_NAME=hello \\\n  --label SERVICE_CHECK_HTTP=/ nginx:alpine";

export function FirstService() {
  const register = `curl -X PUT ${window.location.origin}/v1/agent/service/register \\\n  -d '{"Name": "hello", "Port": 8000}'`;
  return html`<section class="panel welcome" data-testid="empty">
    <svg class="welcome-mark" viewBox="0 0 32 32" width="44" height="44" aria-hidden="true"><path d="M4 13h24M9 13v13M23 13v13M16 13v13M12 7h8M2 29c3-2 5-2 7 0s5 2 7 0 5-2 7 0 5 2 7 0" /></svg>
    <h2>The wharf is empty</h2>
    <p>Give a container a name and it ties up here by itself: registered, checked, balanced and watched.</p>
    <h3>Start a container</h3>
    <${Copy} text=${RUN} />
    <h3>Or register something that already runs</h3>
    <${Copy} text=${register} />
    <p class="faint">This page fills in the moment it arrives. No reload needed.</p></section>`;
}
