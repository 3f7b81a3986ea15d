"""Who asks, and what they may do: the layer around every version of the application.

What routes find of it:

- `request.state.caller`: a `Caller` with `id`, `roles` and `scopes`, always there. Without authentication,
  on loopback, it is `ANONYMOUS`, who has every role.
- `csrf_token(request)`: the token that a form of the page carries in a hidden field named `CSRF_FIELD`, or
  a script sends as the header `X-CSRF-Token`. The layer checks it before a route sees the request.
- Everything under `/static/` is public; every other path needs a caller. A browser without one is sent to
  `/login`.
- The Content-Security-Policy allows scripts, styles, images and connections of this origin only: nothing
  inline, no `data:`.
"""
