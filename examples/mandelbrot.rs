//! Draws the Mandelbrot set, a row a task, into a PNG file.
//!
//! ```console
//! $ cargo run --release --example mandelbrot -- mandelbrot.png 900 600
//! mandelbrot.png: 900x600, 4 workers
//! ```
//!
//! Rows differ in how long they take by a factor of hundreds, which costs nothing: they are given out one by one, and the
//! results come in their order.

use std::{env, error::Error, fs::File, io::BufWriter};

use multiproc::{Pool, partial};
use serde::{Deserialize, Serialize};

/// How often the formula is applied before a point counts as one of the set.
const DEPTH: u32 = 500;

/// How large the picture is.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Size {
    width: u32,
    height: u32,
}

#[multiproc::main]
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let path = arguments.next().unwrap_or_else(|| "mandelbrot.png".into());
    let mut number = |default| arguments.next().map_or(Ok(default), |text| text.parse::<u32>());
    let size = Size { width: number(900)?, height: number(600)? };

    let pool = Pool::builder().build()?;
    let mut pixels = Vec::with_capacity(size.width as usize * size.height as usize * 3);
    for row in pool.imap(partial(row, size), 0..size.height) {
        pixels.extend(row?);
    }
    write(&path, size, &pixels)?;
    println!("{path}: {}x{}, {} workers", size.width, size.height, pool.processes());
    Ok(())
}

/// The colours of one row.
fn row(size: Size, y: u32) -> Vec<u8> {
    let scale = 3.0 / f64::from(size.width);
    let imaginary = (f64::from(y) - f64::from(size.height) / 2.0) * scale;
    (0..size.width).flat_map(|x| colour(escape(f64::from(x) * scale - 2.2, imaginary))).collect()
}

/// After how many steps the point leaves; none if it stays.
fn escape(real: f64, imaginary: f64) -> Option<u32> {
    let (mut x, mut y) = (0.0, 0.0);
    (0..DEPTH).find(|_| {
        (x, y) = (x * x - y * y + real, 2.0 * x * y + imaginary);
        x * x + y * y > 4.0
    })
}

fn colour(steps: Option<u32>) -> [u8; 3] {
    let Some(steps) = steps else { return [0; 3] };
    let shade = f64::from(steps) / f64::from(DEPTH);
    [shade.powf(0.5), shade.powf(0.3), shade.powf(0.2)].map(|part| (part * 255.0) as u8)
}

fn write(path: &str, size: Size, pixels: &[u8]) -> Result<(), Box<dyn Error>> {
    let mut encoder =
        png::Encoder::new(BufWriter::new(File::create(path)?), size.width, size.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    Ok(writer.finish()?)
}
