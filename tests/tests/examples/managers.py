"""A manager's client or server, to be met by queue_manager and queue_client."""

import gc
import multiprocessing
import queue
import sys
from multiprocessing import managers
from multiprocessing.managers import BaseManager, DictProxy, ListProxy, SyncManager


class Maths:
    def add(self, x, y):
        return x + y


def server(key):
    q, d, l = queue.Queue(), {}, []

    class Manager(BaseManager):
        pass

    Manager.register('get_queue', callable=lambda: q)
    Manager.register('get_dict', callable=lambda: d)
    Manager.register('get_list', callable=lambda: l)
    Manager.register('Maths', Maths)
    served = Manager(address=('127.0.0.1', 0), authkey=key).get_server()
    print('%s:%d' % served.address, flush=True)
    served.serve_forever()


def sync_server(key):
    served = SyncManager(address=('127.0.0.1', 0), authkey=key).get_server()
    print('%s:%d' % served.address, flush=True)
    served.serve_forever()


def raises(kind, function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except kind as err:
        return err
    raise AssertionError('no %s' % kind.__name__)


def connected(kind, address, key):
    host, port = address.rsplit(':', 1)
    manager = kind(address=(host, int(port)), authkey=key)
    manager.connect()
    return manager


def client(address, key):
    class Manager(SyncManager):
        pass

    # By generated proxies, as the documentation does it, and by those that know the type.
    Manager.register('get_queue')
    Manager.register('get_dict', proxytype=DictProxy)
    Manager.register('get_list', proxytype=ListProxy)
    Manager.register('Maths')
    manager = connected(Manager, address, key)

    q = manager.get_queue()
    q.put({'a': [1, 2.5, None, b'x', (1,)], 2: 'h\u00e5'})
    assert q.qsize() == 1
    assert q.get() == {'a': [1, 2.5, None, b'x', (1,)], 2: 'h\u00e5'}
    raises(queue.Empty, q.get, timeout=0.001)
    raises(queue.Empty, q.get_nowait)
    raises(ValueError, q.get, True, -1)
    q.put('twice'), manager.get_queue().put('more')
    assert [q.get(), q.get()] == ['twice', 'more']

    d = manager.get_dict()
    d.clear()
    d['x'] = 1
    d[2] = 'y'
    assert str(d) == "{'x': 1, 2: 'y'}"
    assert list(d.keys()) == ['x', 2] and list(d.values()) == [1, 'y']
    assert list(iter(d)) == ['x', 2] and d.copy() == {'x': 1, 2: 'y'}
    assert 'x' in d and len(d) == 2 and d.get('z', 7) == 7
    assert raises(KeyError, lambda: d['nope']).args == ('nope',)
    raises(TypeError, d.__setitem__, [1], 2)
    d.update({3: 4}, z=5)
    assert d.pop('z') == 5 and d.popitem() == (3, 4)

    l = manager.get_list()
    del l[:]
    l.append(1)
    l.extend([3, 2])
    l.sort(reverse=True)
    assert list(l) == [3, 2, 1] and l[-1] == 1 and l[0:2] == [3, 2]
    assert l + [9] == [3, 2, 1, 9] and l * 2 == [3, 2, 1] * 2
    assert list(reversed(l)) == [1, 2, 3]
    l[0:2] = ['a']
    assert str(l) == "['a', 1]" and l.index(1) == 1
    raises(IndexError, lambda: l[9])
    raises(ValueError, l.remove, 'none')
    l += [5]
    l *= 2
    assert len(l) == 6

    maths = manager.Maths()
    assert maths.add(4, 3) == 7 and maths.mul(4, 3) == 12
    assert maths._exposed_ == ('add', 'mul', 'div') or sorted(maths._exposed_)
    raises(ZeroDivisionError, maths.div, 1, 0)
    raises(TypeError, maths.add, 'x', 1)
    raises(managers.RemoteError, maths._callmethod, 'zork')
    raises(managers.RemoteError, manager._create, 'Nothing')
    gc.collect()
    before = manager._number_of_objects()
    del maths
    gc.collect()
    assert manager._number_of_objects() == before - 1
    assert 'refcount=' in manager._debug_info()


def sync_client(address, key):
    """Every standard type, as a SyncManager has it."""
    import threading
    manager = connected(SyncManager, address, key)
    outer, inner = manager.list(), manager.dict(a=1)
    outer.append(inner)
    inner['b'] = 2
    assert outer[0]['b'] == 2 and isinstance(outer[0], DictProxy)
    del inner
    assert outer[0].copy() == {'a': 1, 'b': 2}
    # What is taken out of an object that alone referred to it is there.
    outer[:] = [manager.list([7])]
    assert list(outer.pop()) == [7]
    outer = manager.dict(x=manager.list([7]))
    assert list(outer.pop('x')) == [7]
    outer = manager.Queue()
    outer.put(manager.list([7]))
    assert list(outer.get()) == [7]
    outer = manager.list()
    namespace = manager.Namespace(x=1)
    namespace.y = namespace.x + 1
    assert str(namespace) == 'Namespace(x=1, y=2)'
    del namespace.x
    raises(AttributeError, lambda: namespace.x)
    value, array = manager.Value('i', 7), manager.Array('i', [0, 1, 2])
    value.value += 1
    assert value.get() == 8 and str(value) == "Value('i', 8)"
    array[0] = 5
    assert list(array) == [5, 1, 2] and str(array) == "array('i', [5, 1, 2])"
    assert array[0:2].tolist() == [5, 1] and array._getvalue().tolist() == [5, 1, 2]
    raises(TypeError, array.__setitem__, 0, 'x')
    lock, rlock = manager.Lock(), manager.RLock()
    with lock:
        assert not lock.acquire(False) and not lock.acquire(True, 0.001)
    raises(RuntimeError, lock.release)
    with rlock, rlock:
        pass
    semaphore, bounded = manager.Semaphore(2), manager.BoundedSemaphore(1)
    assert semaphore.acquire() and semaphore.acquire() and not semaphore.acquire(False)
    raises(ValueError, bounded.release)
    event, barrier = manager.Event(), manager.Barrier(2)
    assert not event.wait(0.001)
    event.set()
    assert event.is_set() and event.wait()
    places = []
    thread = threading.Thread(target=lambda: places.append(barrier.wait()))
    thread.start()
    places.append(barrier.wait())
    thread.join()
    assert sorted(places) == [0, 1] and barrier.parties == 2 and not barrier.broken
    barrier.abort()
    raises(threading.BrokenBarrierError, barrier.wait)
    condition = manager.Condition()
    condition2 = manager.Condition(lock)
    with condition2:
        assert not lock.acquire(False)
    done = []

    def notify():
        with condition:
            done.append(1)
            condition.notify_all()

    with condition:
        thread = threading.Thread(target=notify)
        thread.start()
        assert condition.wait_for(lambda: done)
        assert not condition.wait(0.001)
    thread.join()
    tasks = manager.JoinableQueue(1)
    tasks.put(1)
    raises(queue.Full, tasks.put, 2, False)
    tasks.get()
    tasks.task_done()
    tasks.join()
    raises(ValueError, tasks.task_done)
    # What no plain data is arrives as an error, and costs no more.
    raises(managers.RemoteError, outer.append, threading.current_thread)
    assert len(outer) == 0


if __name__ == '__main__':
    what, *args, key = sys.argv[1:]
    # Proxies inside of others have no key but that of their process.
    multiprocessing.current_process().authkey = key.encode()
    globals()[what](*args, key.encode())
