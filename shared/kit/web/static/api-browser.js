"use strict";

// A file of its own, because the content security policy of the page forbids inline scripts.
window.addEventListener("DOMContentLoaded", () => {
  SwaggerUIBundle({
    url: "openapi.json",
    dom_id: "#api-browser",
    deepLinking: true,
    displayRequestDuration: true,
    showExtensions: true,
    tryItOutEnabled: true,
    // The default would send the document to a validator on another host.
    validatorUrl: null,
  });
});
