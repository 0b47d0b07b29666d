// The authenticator's service worker: it shows what was pushed, and opens the page where there is no connection. It is an
// enhancement: browsers that know Declarative Web Push show the same message without it. It never answers for anybody,
// and it keeps nothing but the page's own files.

const CACHE = `nightlatch-authenticator-${TOLD.release}`;

addEventListener("install", (event) => {
  event.waitUntil(
    (async () => {
      const cache = await caches.open(CACHE);
      await cache.addAll([TOLD.home, ...TOLD.files].map((address) => new Request(address, { cache: "reload" })));
      await skipWaiting();
    })(),
  );
});

addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      const ours = (await caches.keys()).filter((name) => name.startsWith("nightlatch-authenticator-"));
      await Promise.all(ours.filter((name) => name !== CACHE).map((name) => caches.delete(name)));
      await clients.claim();
    })(),
  );
});

addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (request.mode === "navigate" && url.pathname === TOLD.home) event.respondWith(pageOf(request));
  else if (TOLD.files.includes(url.pathname)) event.respondWith(fileOf(request));
});

async function pageOf(request) {
  try {
    return await fetch(request);
  } catch {
    return (await caches.match(TOLD.home)) ?? Response.error();
  }
}

async function fileOf(request) {
  return (await caches.match(request)) ?? fetch(request);
}

// Every push must show something; one that we cannot read says no more than that it is there.
function messageOf(data) {
  try {
    const { notification } = data.json();
    return {
      title: String(notification.title),
      options: { body: String(notification.body), lang: notification.lang, data: { navigate: notification.navigate } },
    };
  } catch {
    return { title: "Somebody wants to sign in", options: { body: "Open to see where.", data: {} } };
  }
}

addEventListener("push", (event) => {
  const { title, options } = messageOf(event.data);
  event.waitUntil(
    Promise.all([
      registration.showNotification(title, {
        ...options,
        icon: TOLD.icon,
        badge: TOLD.badge,
        tag: "sign-in",
        renotify: true,
        requireInteraction: true,
      }),
      tell({ type: "push" }),
    ]),
  );
});

async function tell(message) {
  for (const page of await clients.matchAll({ type: "window" })) page.postMessage(message);
}

function insideOf(address) {
  const url = new URL(address ?? TOLD.home, location.origin);
  return url.origin === location.origin && url.pathname === TOLD.home ? url.href : new URL(TOLD.home, location.origin).href;
}

addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(
    (async () => {
      const open = (await clients.matchAll({ type: "window" })).find((page) => new URL(page.url).pathname === TOLD.home);
      if (!open) return clients.openWindow(insideOf(event.notification.data?.navigate));
      open.postMessage({ type: "push" });
      return open.focus();
    })(),
  );
});

addEventListener("pushsubscriptionchange", (event) => event.waitUntil(tell({ type: "subscription" })));
