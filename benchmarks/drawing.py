"""What drawing a run live costs the notebook's kernel: CPU time per event, and bytes per update.

Run `python benchmarks/drawing.py`. In a kernel of its own it opens a freeze lab, which trains all
of `resnet_s` on drawn pets in both frameworks, each in a worker, and draws both. *Per event* is all
that the kernel's process computes from Train to the last row (reading the workers' events, the
records, the picture that is kept, the messages to the page), divided by the number of steps.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from jupyter_client.manager import start_new_kernel

from ftkit.lab import jupyter_environment

WAIT_SECONDS = 900
CODE = """
import json, time
import ftkit
from ftkit.widgets import FreezeLab

lab = FreezeLab(ftkit.Recipe(train_size=TRAIN, epochs=EPOCHS, batch_size=BATCH))
display(lab)
assert lab.measured(300)
sent = []
lab.observe(lambda change: sent.append(len(json.dumps(change["new"]))), "live")
idle = time.process_time()
time.sleep(10)
idle = (time.process_time() - idle) / 10
wall, cpu = time.perf_counter(), time.process_time()
lab.train(depth=0)
assert lab.wait(600)
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
steps = sum(len(run.steps) for row in lab.results for run in row.runs)
print(json.dumps({
    "events": steps, "seconds": wall, "events_per_second": steps / wall,
    "cpu_ms_per_event": 1000 * cpu / steps, "idle_ms_per_second": 1000 * idle,
    "updates_per_second": len(sent) / wall, "largest_update_bytes": max(sent),
}))
"""


def main() -> int:
    """Measures, and prints.

    Returns:
        0, or 1 if the kernel failed.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=int, default=400, help="pictures (400)")
    parser.add_argument("--epochs", type=int, default=10, help="(10)")
    parser.add_argument("--batch-size", type=int, default=8, help="small ones, more events (8)")
    options = parser.parse_args()
    told: list[str] = []

    def take(message: dict) -> None:
        content = message["content"]
        if message["msg_type"] == "stream" and content["name"] == "stdout":
            told.append(content["text"])
        elif message["msg_type"] == "error":
            print("\n".join(content["traceback"]), file=sys.stderr)

    with tempfile.TemporaryDirectory(prefix="ftkit-drawing-") as folder:
        os.environ.update(jupyter_environment(Path(folder)))  # the kernel of this interpreter
        manager, client = start_new_kernel(kernel_name="python3", cwd=folder)
        try:
            code = CODE.replace("TRAIN", str(options.train)).replace("EPOCHS", str(options.epochs))
            code = code.replace("BATCH", str(options.batch_size))
            client.execute_interactive(code, timeout=WAIT_SECONDS, output_hook=take)
        finally:
            client.stop_channels()
            manager.shutdown_kernel()
    if not told:
        return 1
    for name, value in json.loads("".join(told)).items():
        print(f"{name.replace('_', ' '):<22} {value:,.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
