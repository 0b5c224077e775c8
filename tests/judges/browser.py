"""A browser without scripts, of the standard library alone: cookies, redirects, forms as people fill them in.

Invariant: it sends what a browser sends, no more: cookies as they were set, `Origin` with forms, the fields of a form that are there.
"""

import html.parser
import http.cookiejar
import ssl
import urllib.error
import urllib.parse
import urllib.request

AGENT = "Judge/1.0 (a browser)"


class Form:
    def __init__(self, attributes):
        self.method = attributes.get("method", "get").lower()
        self.action = attributes.get("action", "")
        self.fields, self.buttons = [], []


class Reader(html.parser.HTMLParser):
    """The text of a page, its links and its forms."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.forms, self.links, self.words, self.tags, self.headings = [], {}, [], [], []
        self._form = self._link = self._area = self._heading = None

    def handle_starttag(self, tag, attributes):
        values = {name: value or "" for name, value in attributes}
        self.tags.append((tag, values))
        if tag == "form":
            self._form = Form(values)
            self.forms.append(self._form)
        elif tag == "a":
            self._link = values.get("href")
        elif tag in ("h1", "h2"):
            self._heading = []
        elif self._form is None:
            return
        elif tag == "textarea":
            self._area = [values.get("name"), ""]
        elif tag == "button":
            self._form.buttons.append((values.get("name"), values.get("value")))
        elif tag == "input":
            kind, name = values.get("type", "text"), values.get("name")
            chosen = kind not in ("radio", "checkbox") or "checked" in values
            self._form.fields.append([name, values.get("value", ""), kind, chosen])

    def handle_endtag(self, tag):
        if tag == "form":
            self._form = None
        elif tag == "a":
            self._link = None
        elif tag == "textarea" and self._area:
            # The first line break after the tag is no part of the text.
            name, text = self._area
            self._form.fields.append([name, text.removeprefix("\n"), "textarea", True])
            self._area = None
        elif tag in ("h1", "h2") and self._heading is not None:
            self.headings.append("".join(self._heading).strip())
            self._heading = None

    def handle_data(self, data):
        if self._area is not None:
            self._area[1] += data
        if self._link is not None:
            self.links.setdefault(data.strip(), self._link)
        if self._heading is not None:
            self._heading.append(data)
        self.words.append(data)


class Page:
    def __init__(self, address, status, headers, text):
        self.address, self.status, self.headers, self.html = address, status, headers, text
        reader = Reader()
        reader.feed(text)
        self.forms, self.links, self.tags, self.headings = reader.forms, reader.links, reader.tags, reader.headings
        self.text = " ".join(" ".join(reader.words).split())
        self.words = "".join(reader.words)

    @property
    def path(self):
        return urllib.parse.urlsplit(self.address).path

    def form(self, action):
        return next(form for form in self.forms if form.action.endswith(action))


class Browser:
    def __init__(self, server, tls=False):
        self.origin = server.https if tls else server.endpoint
        self.jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPCookieProcessor(self.jar),
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=server.authority)),
        )
        self.page = None

    def send(self, path, fields=None, origin=True, **headers):
        """Opens an address, or sends a form there. `origin=None` leaves the header out; a text is sent as it is."""
        address = urllib.parse.urljoin(self.origin + "/_ringwork/console/", path)
        request = urllib.request.Request(address, headers={"User-Agent": AGENT, **headers})
        if fields is not None:
            request.data = urllib.parse.urlencode(fields).encode()
            if origin is not None:
                request.add_header("Origin", self.origin if origin is True else origin)
        try:
            answer = self.opener.open(request, timeout=60)
        except urllib.error.HTTPError as refused:
            answer = refused
        with answer:
            text = answer.read().decode()
            self.page = Page(answer.geturl(), answer.status, answer.headers, text)
        return self.page

    def open(self, path=""):
        return self.send(path)

    def follow(self, words):
        """Clicks on a link."""
        return self.send(self.page.links[words])

    def submit(self, action, button=None, choose=(), drop=(), **typed):
        """Fills in a form and clicks on a button of it. `choose` are pairs of radio buttons and boxes to tick, `drop` names of boxes to
        clear; other fields by name, with `_` for `-`."""
        form = self.page.form(action)
        typed = {name.replace("_", "-"): value for name, value in typed.items()}
        wanted, fields, named = set(choose), [], set()
        radios = {name for name, _ in wanted if any(f[0] == name and f[2] == "radio" for f in form.fields)}
        for name, value, kind, chosen in form.fields:
            if kind in ("radio", "checkbox"):
                chosen = (name, value) in wanted or (chosen and name not in radios and name not in drop)
                wanted.discard((name, value))
            elif name in typed and name not in named:
                value = typed[name]
                named.add(name)
            if chosen and name:
                fields.append((name, value))
        if wanted or set(typed) - named:
            raise AssertionError(f"the form has no {wanted or set(typed) - named}")
        if button:
            if button not in form.buttons:
                raise AssertionError(f"the form has no button {button}: {form.buttons}")
            fields.append(button)
        return self.send(form.action, fields) if form.method == "post" else self.send(
            form.action + "?" + urllib.parse.urlencode(fields)
        )

    def sign_in(self, account, user, password, code=None):
        """Signs in, with a code if one is asked for; `code` is called then."""
        self.open("signin")
        page = self.submit("/signin", account=account, user=user, password=password)
        if code and page.path.endswith("/code"):
            page = self.submit("/code", code=code())
        return page

    def cookie(self, name="ringwork-console"):
        return next((cookie for cookie in self.jar if cookie.name == name), None)
