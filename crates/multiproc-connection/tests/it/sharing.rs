//! Threads that share an end.

use std::{collections::BTreeSet, thread, time::Duration};

use multiproc_connection::{TryRecvError, simplex};

const EACH: u32 = 5000;

// parity: connection.shared-end-corruption
#[test]
fn every_message_goes_to_exactly_one_of_many_receivers() {
    let (rx, tx) = simplex::<(u32, u32, String)>().unwrap();
    let rx = &rx;
    let received: Vec<_> = thread::scope(|scope| {
        let receivers = [(); 3].map(|()| {
            scope.spawn(move || {
                let mut received = vec![];
                while let Ok((sender, number, text)) = rx.recv() {
                    assert_eq!(text, format!("{sender}:{number}"), "a message is whole");
                    received.push((sender, number));
                }
                received
            })
        });
        thread::scope(|scope| {
            for sender in 0..3 {
                let tx = &tx;
                scope.spawn(move || {
                    for number in 0..EACH {
                        tx.send(&(sender, number, format!("{sender}:{number}"))).unwrap();
                    }
                });
            }
        });
        drop(tx);
        receivers.into_iter().flat_map(|receiver| receiver.join().unwrap()).collect()
    });
    assert_eq!(received.len(), 3 * EACH as usize);
    let distinct: BTreeSet<_> = received.into_iter().collect();
    assert_eq!(distinct.len(), 3 * EACH as usize);
}

#[test]
fn receivers_that_lose_a_race_wait_on() {
    let (rx, tx) = simplex::<u32>().unwrap();
    let rx = &rx;
    let total: u32 = thread::scope(|scope| {
        let timed = scope.spawn(move || {
            let mut taken = 0;
            while rx.recv_timeout(Duration::MAX).is_ok() {
                taken += 1;
            }
            taken
        });
        let eager = scope.spawn(move || {
            let mut taken = 0;
            loop {
                match rx.try_recv() {
                    Ok(_) => taken += 1,
                    Err(TryRecvError::Empty) => thread::yield_now(),
                    Err(TryRecvError::Recv(_)) => break taken,
                }
            }
        });
        for number in 0..EACH {
            tx.send(&number).unwrap();
        }
        drop(tx);
        timed.join().unwrap() + eager.join().unwrap()
    });
    assert_eq!(total, EACH);
}

#[test]
fn end_made_non_blocking_by_another_still_waits() {
    let (rx, tx) = simplex::<[u64; 16]>().unwrap();
    rustix::io::ioctl_fionbio(&rx, true).unwrap();
    rustix::io::ioctl_fionbio(&tx, true).unwrap();
    let sending = thread::spawn(move || {
        for number in 0..u64::from(EACH) {
            tx.send(&[number; 16]).unwrap();
        }
    });
    for number in 0..u64::from(EACH) {
        assert_eq!(rx.recv().unwrap(), [number; 16]);
    }
    sending.join().unwrap();
    assert!(rx.recv().unwrap_err().is_closed());
}
