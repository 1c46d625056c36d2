import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

export default defineConfig({
  // Relative addresses: the server may be mounted below a path of another application.
  base: "./",
  resolve: { alias: { "@tailrace/client": path("../packages/client-js/src/index.ts") } },
  build: {
    outDir: path("../src/tailrace/server/page"),
    emptyOutDir: true,
    // Files of their own, never data: addresses or inline scripts: the page's Content-Security-Policy allows neither.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // What marked and DOMPurify ask for: their licences travel with the built page.
    license: { fileName: "licenses.md" },
    target: "es2022",
  },
  server: {
    proxy: Object.fromEntries(
      ["/v1", "/streams"].map((door) => [door, process.env["TAILRACE_URL"] ?? "http://127.0.0.1:8484"]),
    ),
  },
  // Long documents are parsed here on whatever machine this is; how fast that goes is no test's business.
  test: { environment: "jsdom", include: ["tests/**/*.test.ts"], testTimeout: 60_000 },
});
