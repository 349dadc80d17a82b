"""What CPython's manager needs for the same calls."""

import threading
import time
from multiprocessing.managers import SyncManager


def calls(kind, clients, count):
    address = ("127.0.0.1", 0) if kind in ("tcp", "new") else None
    with SyncManager(address=address) as manager:
        if kind == "new":
            started = time.perf_counter()
            for _ in range(count):
                manager.list()
            return [count / (time.perf_counter() - started)]
        if kind == "long":
            value = manager.Value("c", b"\7" * (1 << 20))
            started = time.perf_counter()
            for _ in range(count):
                value.get()
            return [count / (time.perf_counter() - started)]
        shared = manager.dict()

        def client():
            for n in range(count // 2):
                shared[n % 64] = n
                shared[n % 64]

        threads = [threading.Thread(target=client) for _ in range(clients)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [clients * count / (time.perf_counter() - started) / 1e3]
