"""OpenFaaS' gateway API over the supervised processes, so that faas-cli works against `make up`.

request ─▶ app ─┬─ /emit, /auth/…, /replay …   routes ──┐
                ├─ /function/NAME/…                      ├─▶ calls ──HTTP──▶ function
                ├─ /async-function/NAME/…  ─▶ queue ─────┘
                └─ /system/…  ─▶ guard ─▶ system ──control socket──▶ supervisor
"""
