//! From recordings to what a quantiser needs: network inputs to calibrate on, and frames held out for judging.

use std::collections::HashMap;
use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::sample::{Candidate, Spread, Thumbnail, farthest, hold_out};
use crate::clock::CaptureTime;
use crate::detect::model::Model;
use crate::detect::preprocess::{Crop, Preprocessor};
use crate::detect::tensor::Tensor;
use crate::error::{Error, Kind, Result};
use crate::frame::Frame;
use crate::plan::Input;
use crate::source::{self, Next};

/// Fewest frames that differ: below, activations' ranges and a judgement of boxes mean little.
pub const MIN_FRAMES: usize = 8;

/// Frames of recordings that differ, and how they are used.
#[derive(Clone, Debug)]
pub struct Sampled {
    /// Frames in all recordings.
    pub played: usize,
    /// Network inputs that were written for the calibration.
    pub calibrated: usize,
    /// Frames that the calibration does not see.
    pub held_out: Vec<Frame>,
}

/// Chooses up to `count` frames of `inputs` that differ, none of them a near copy of one of `labelled`; writes
/// the network inputs that `model` makes of three quarters of them to `folder` (`0.f32`, `1.f32` ...,
/// little-endian float32) and keeps the others. The recordings are played twice, so that memory does not grow
/// with their length.
///
/// # Errors
/// [`Kind::Camera`] when a recording cannot be read or there are fewer than [`MIN_FRAMES`] frames that differ;
/// [`Kind::Disk`] when `folder` cannot be written.
pub fn sample(
    inputs: &[Input],
    model: &Model,
    labelled: &[Thumbnail],
    count: usize,
    folder: &Path,
    say: &mut dyn FnMut(&str),
) -> Result<Sampled> {
    let (candidates, played) = candidates(inputs, say)?;
    let chosen = farthest(&candidates, labelled, count);
    if chosen.len() < MIN_FRAMES {
        let what = format!(
            "{} of {played} frames differ from each other and from the labelled pictures; \
             at least {MIN_FRAMES} are needed",
            chosen.len()
        );
        return Err(Error::new(Kind::Camera, what)
            .help("give more or longer recordings: other times of day, other traffic, other cameras"));
    }
    say(&format!("{} of {played} frames differ enough to be used", chosen.len()));
    let (used, held) = hold_out(chosen);
    // What becomes of a frame: a tensor with this number, or a place among those held out.
    let mut fate: HashMap<(usize, usize), bool> = HashMap::new();
    let key = |at: &usize| (candidates[*at].source, candidates[*at].frame);
    fate.extend(used.iter().map(|at| (key(at), true)));
    fate.extend(held.iter().map(|at| (key(at), false)));
    let mut preprocessor = Preprocessor::new(model.manifest.input.clone());
    let mut tensor = Tensor::new(&model.manifest.input);
    let mut sampled = Sampled { played, calibrated: 0, held_out: Vec::with_capacity(held.len()) };
    for (number, input) in inputs.iter().enumerate() {
        let mut left = fate.keys().filter(|(source, _)| *source == number).count();
        let mut source = source::open(input, CaptureTime::default(), 1.0)?;
        let (mut frame, mut at) = (Frame::default(), 0);
        while left > 0 && source.next(&mut frame)? == Next::Frame {
            match fate.get(&(number, at)) {
                Some(true) => {
                    preprocessor.run(&frame, Crop::whole(&frame), &mut tensor).ok_or_else(|| {
                        Error::new(Kind::System, "a frame does not have the planes of its size")
                    })?;
                    write(&folder.join(format!("{}.f32", sampled.calibrated)), &tensor.to_f32())?;
                    sampled.calibrated += 1;
                }
                Some(false) => sampled.held_out.push(frame.clone()),
                None => {}
            }
            left -= usize::from(fate.contains_key(&(number, at)));
            at += 1;
        }
    }
    Ok(sampled)
}

fn candidates(inputs: &[Input], say: &mut dyn FnMut(&str)) -> Result<(Vec<Candidate>, usize)> {
    let (mut candidates, mut played) = (Vec::new(), 0);
    for (number, input) in inputs.iter().enumerate() {
        say(&format!("looking through {}", place(input).display()));
        let mut source = source::open(input, CaptureTime::default(), 1.0)?;
        let (mut frame, mut spread) = (Frame::default(), Spread::new(number));
        while source.next(&mut frame)? == Next::Frame {
            spread.add(&frame);
            if spread.played().is_multiple_of(2000) {
                say(&format!("{} frames of {}", spread.played(), place(input).display()));
            }
        }
        played += spread.played();
        candidates.extend(spread.candidates());
    }
    Ok((candidates, played))
}

/// The file or folder of `input`, or the address of a camera.
pub fn place(input: &Input) -> PathBuf {
    match input {
        Input::Live(live) => PathBuf::from(live.to_string()),
        Input::Video(path) | Input::Pictures(path) | Input::Detections(path) => path.clone(),
    }
}

fn write(path: &Path, tensor: &[f32]) -> Result<()> {
    let written = fs::File::create(path).and_then(|file| {
        let mut file = BufWriter::new(file);
        tensor.iter().try_for_each(|value| file.write_all(&value.to_le_bytes()))?;
        file.flush()
    });
    written.map_err(|e| Error::disk(path, "write", e))
}
