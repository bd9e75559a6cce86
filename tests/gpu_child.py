"""In the place of `benchmarks.gpu.child`: one part hangs, one dies, the others end."""

import json
import os
import sys
import time

_, _, out, *names = sys.argv[1:]
for name in names:
    row = {"what": name, "found": "a row", "holds": True, "numbers": {}}
    with open(out, "a") as file:
        file.write(json.dumps({"part": name, "event": "begun"}) + "\n")
        file.write(json.dumps({"part": name, "event": "row", "row": row}) + "\n")
    if name == "agreement":
        time.sleep(60)
    if name == "tests":
        os._exit(3)
    with open(out, "a") as file:
        file.write(json.dumps({"part": name, "event": "ended"}) + "\n")
