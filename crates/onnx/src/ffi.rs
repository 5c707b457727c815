//! What ONNX Runtime is told by pointer. The only `unsafe` of this crate.
//!
//! `ort` is safe as long as it owns every tensor. Here memory is our own: weights lie in mapped files, and a cache is
//! input and output of the same run. So tensors are made and run by the functions underneath, and three types keep what
//! these ask for: a [`Graph`] outlives none of its weights, a [`Tensor`] none of its memory, and a [`Slab`], which runs
//! write to, never lends out a reference.

use std::ffi::{CStr, CString};
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::slice;
use std::sync::Arc;

use memmap2::{MmapMut, MmapOptions};
use ort::memory::MemoryInfo;
use ort::session::Session;
use ort::session::builder::SessionBuilder;
use ort::{AsPointer, ortsys, sys};
use trillm_formats::onnx::{DataType, Skeleton};

use crate::element::width;
use crate::weights::WeightMemory;

/// What keeps the library from reporting on its user, by the names that its versions read.
const SILENCE: [&str; 2] = ["ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED"];

/// Tells the library that will be loaded to report nothing to its maker, unless the user decided that already.
///
/// Since 1.29 it sends a first report when its environment is made, before a call could forbid it; and it starts a thread
/// for that, which a forked child would wait for at its exit.
pub(crate) fn silence() {
    for name in SILENCE.into_iter().filter(|name| std::env::var_os(name).is_none()) {
        // SAFETY: other threads of Rust and Python read the environment under locks of their own. One that reads it from
        // C at this very moment might miss an entry; this happens once, at the first model's load, and there is no
        // other way to say it.
        unsafe { std::env::set_var(name, "1") }
    }
}

/// The name by which `ort` calls an element type; the numbers are those of the format.
fn element_type(element: DataType) -> sys::ONNXTensorElementDataType {
    use sys::ONNXTensorElementDataType as Ort;
    match element {
        DataType::F32 => Ort::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
        DataType::U8 => Ort::ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8,
        DataType::I8 => Ort::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8,
        DataType::U16 => Ort::ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16,
        DataType::I16 => Ort::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16,
        DataType::I32 => Ort::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32,
        DataType::I64 => Ort::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64,
        DataType::Bool => Ort::ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL,
        DataType::F16 => Ort::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16,
        DataType::F64 => Ort::ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE,
        DataType::U32 => Ort::ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32,
        DataType::U64 => Ort::ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64,
        DataType::Bf16 => Ort::ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16,
        DataType::U4 => Ort::ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT4,
        DataType::I4 => Ort::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT4,
    }
}

/// A value of the runtime's.
struct Value(NonNull<sys::OrtValue>);

impl Value {
    /// A tensor over memory that somebody else keeps.
    ///
    /// # Safety
    /// `data` must be valid for `bytes` bytes as long as the value lives, and writable if the value becomes an output.
    unsafe fn over(data: *mut u8, bytes: usize, shape: &[i64], element: DataType) -> ort::Result<Self> {
        let memory = MemoryInfo::default();
        let (kind, mut value) = (element_type(element), ptr::null_mut());
        ortsys![
            unsafe CreateTensorWithDataAsOrtValue(
                memory.ptr(), data.cast(), bytes, shape.as_ptr(), shape.len(), kind, &raw mut value
            )?;
            nonNull(value)
        ];
        Ok(Self(value))
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        ortsys![unsafe ReleaseValue(self.0.as_ptr())];
    }
}

/// Memory for a cache: zeros that take no room until they are written to. Runs write to it through a [`Tensor`], so it is
/// copied from and to, and never borrowed.
pub(crate) struct Slab {
    start: *mut u8,
    bytes: usize,
    _map: MmapMut,
}

impl Slab {
    /// `bytes` zeros.
    pub(crate) fn new(bytes: usize) -> std::io::Result<Rc<Self>> {
        let mut map = MmapOptions::new().len(bytes.max(1)).no_reserve_swap().map_anon()?;
        Ok(Rc::new(Self { start: map.as_mut_ptr(), bytes, _map: map }))
    }

    /// Copies `bytes` bytes from one place to another; the two may overlap.
    pub(crate) fn copy(&self, from: usize, to: usize, bytes: usize) {
        assert!(from.max(to) + bytes <= self.bytes, "within the slab");
        // SAFETY: both ranges were just checked; `ptr::copy` allows overlap; no reference into the mapping exists, and
        // no run is under way: it would borrow the graph on this thread, which the slab cannot leave.
        unsafe { ptr::copy(self.start.add(from), self.start.add(to), bytes) }
    }

    /// Exchanges `bytes` bytes of two places, which must not overlap.
    pub(crate) fn swap(&self, one: usize, other: usize, bytes: usize) {
        assert!(one.max(other) + bytes <= self.bytes && one.abs_diff(other) >= bytes, "two places in the slab");
        // SAFETY: as in `copy`; the ranges do not overlap.
        unsafe { ptr::swap_nonoverlapping(self.start.add(one), self.start.add(other), bytes) }
    }
}

/// What a tensor's numbers lie in.
enum Memory {
    /// The runtime's own.
    Runtime,
    Slab {
        _slab: Rc<Slab>,
    },
    Numbers {
        _words: Vec<u64>,
    },
}

/// A tensor, and the memory that it is over.
pub(crate) struct Tensor {
    // Before its memory: fields are dropped in order.
    value: Value,
    memory: Memory,
}

impl Tensor {
    /// A part of a slab that begins at byte `offset`.
    pub(crate) fn of_slab(slab: &Rc<Slab>, offset: usize, shape: &[i64], element: DataType) -> ort::Result<Self> {
        let bytes = elements(shape).saturating_mul(width(element));
        if offset.checked_add(bytes).is_none_or(|end| end > slab.bytes) {
            return Err(ort::Error::new("a tensor that reaches beyond its slab"));
        }
        // SAFETY: the range was just checked, and the tensor keeps the slab. It may be written to: nobody borrows it.
        let value = unsafe { Value::over(slab.start.add(offset), bytes, shape, element) }?;
        Ok(Self { value, memory: Memory::Slab { _slab: slab.clone() } })
    }

    /// A tensor of its own memory, which holds at least what `shape` asks for.
    pub(crate) fn of_words(mut words: Vec<u64>, shape: &[i64], element: DataType) -> ort::Result<Self> {
        let bytes = elements(shape).saturating_mul(width(element));
        if bytes > size_of_val(&words[..]) {
            return Err(ort::Error::new("a tensor of more numbers than were given"));
        }
        // SAFETY: the vector's memory does not move with it, is as long as was just checked, and is kept.
        let value = unsafe { Value::over(words.as_mut_ptr().cast(), bytes, shape, element) }?;
        Ok(Self { value, memory: Memory::Numbers { _words: words } })
    }

    /// Lengths of the dimensions.
    pub(crate) fn shape(&self) -> ort::Result<Vec<i64>> {
        let mut info = ptr::null_mut();
        let value = self.value.0.as_ptr();
        ortsys![unsafe GetTensorTypeAndShape(value, &raw mut info)?; nonNull(info)];
        let read = || {
            let mut count = 0;
            ortsys![unsafe GetDimensionsCount(info.as_ptr(), &raw mut count)?];
            let mut shape = vec![0; count];
            ortsys![unsafe GetDimensions(info.as_ptr(), shape.as_mut_ptr(), count)?];
            Ok(shape)
        };
        let shape = read();
        ortsys![unsafe ReleaseTensorTypeAndShapeInfo(info.as_ptr())];
        shape
    }

    /// The bytes of a tensor that a run made. `None` for others: their memory may be written to.
    pub(crate) fn bytes(&self, element: DataType) -> ort::Result<Option<&[u8]>> {
        let bytes = elements(&self.shape()?).saturating_mul(width(element));
        if matches!(self.memory, Memory::Slab { .. }) {
            return Ok(None);
        }
        let mut data = ptr::null_mut();
        ortsys![unsafe GetTensorMutableData(self.value.0.as_ptr(), &raw mut data)?];
        let data = NonNull::new(data.cast::<u8>()).unwrap_or(NonNull::<u64>::dangling().cast());
        // SAFETY: the runtime's tensors are contiguous, on the processor (no other provider keeps outputs there), and
        // of the element type that the caller got from the graph, which the runtime checked; nothing writes to them.
        Ok(Some(unsafe { slice::from_raw_parts(data.as_ptr(), bytes) }))
    }
}

fn elements(shape: &[i64]) -> usize {
    // More than there can be stays more than there is.
    shape.iter().map(|&length| usize::try_from(length).unwrap_or(0)).fold(1, usize::saturating_mul)
}

/// A graph that can be run, with all that it reads.
pub(crate) struct Graph {
    // Before the weights: fields are dropped in order.
    session: Session,
    inputs: Vec<CString>,
    outputs: Vec<CString>,
    _weights: Vec<Value>,
    _memory: Arc<WeightMemory>,
}

impl Graph {
    /// Hands a graph and its weights to the runtime. Inputs and outputs are given to [`run`](Self::run) in the order
    /// named here.
    pub(crate) fn new(
        mut builder: SessionBuilder,
        skeleton: &Skeleton,
        memory: &Arc<WeightMemory>,
        inputs: Vec<CString>,
        outputs: Vec<CString>,
    ) -> ort::Result<Self> {
        let mut names = Vec::with_capacity(skeleton.weights.len());
        let mut weights = Vec::with_capacity(skeleton.weights.len());
        for (index, weight) in skeleton.weights.iter().enumerate() {
            let shape: Vec<i64> = weight.shape.iter().map(|&length| length as i64).collect();
            let bytes = memory.bytes(index);
            names.push(CString::new(weight.name.as_str()).map_err(|error| ort::Error::new(error.to_string()))?);
            // SAFETY: `memory` is kept as long as the graph. The runtime only reads initializers, so that they may lie
            // in a read-only mapping; they are as long as the reader found that their shapes ask for.
            weights.push(unsafe { Value::over(bytes.as_ptr().cast_mut(), bytes.len(), &shape, weight.element) }?);
        }
        let name_pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
        let value_pointers: Vec<_> = weights.iter().map(|value| value.0.as_ptr().cast_const()).collect();
        let options = builder.ptr_mut();
        ortsys![
            unsafe AddExternalInitializers(
                options, name_pointers.as_ptr(), value_pointers.as_ptr(), weights.len()
            )?
        ];
        let session = builder.commit_from_memory(&skeleton.model)?;
        Ok(Self { session, inputs, outputs, _weights: weights, _memory: memory.clone() })
    }

    /// Runs the graph once. `outputs` has a tensor to write to, or none, for each output; those without come back, in
    /// order. A tensor may be input and output at once if the graph's operators allow it.
    pub(crate) fn run(&mut self, inputs: &[&Tensor], outputs: &[Option<&Tensor>]) -> ort::Result<Vec<Tensor>> {
        assert!(inputs.len() == self.inputs.len() && outputs.len() == self.outputs.len(), "one for each name");
        for output in outputs.iter().flatten() {
            assert!(matches!(output.memory, Memory::Slab { .. }), "only a slab may be written to");
        }
        let input_names = pointers(&self.inputs);
        let output_names = pointers(&self.outputs);
        let values: Vec<_> = inputs.iter().map(|tensor| tensor.value.0.as_ptr().cast_const()).collect();
        let mut results: Vec<_> =
            outputs.iter().map(|tensor| tensor.map_or(ptr::null_mut(), |tensor| tensor.value.0.as_ptr())).collect();
        let session = self.session.ptr().cast_mut();
        // A failed run gives back no values: whatever is null before stays so.
        ortsys![
            unsafe Run(
                session, ptr::null(), input_names.as_ptr(), values.as_ptr(), values.len(),
                output_names.as_ptr(), output_names.len(), results.as_mut_ptr()
            )?
        ];
        let made = results.into_iter().zip(outputs).filter(|(_, given)| given.is_none());
        let made = made
            .map(|(value, _)| NonNull::new(value).map(|value| Tensor { value: Value(value), memory: Memory::Runtime }));
        made.collect::<Option<_>>().ok_or_else(|| ort::Error::new("a run left an output out"))
    }
}

fn pointers(names: &[CString]) -> Vec<*const std::ffi::c_char> {
    names.iter().map(|name| name.as_ptr()).collect()
}

/// The providers that the loaded library was built with.
pub(crate) fn providers() -> ort::Result<Vec<String>> {
    let (mut names, mut count) = (ptr::null_mut(), 0);
    ortsys![unsafe GetAvailableProviders(&raw mut names, &raw mut count)?; nonNull(names)];
    // SAFETY: the runtime gave `count` strings that end in zero, and keeps them until they are released below.
    let found = unsafe { slice::from_raw_parts(names.as_ptr(), count as usize) }
        .iter()
        .map(|&name| unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned())
        .collect();
    ortsys![unsafe ReleaseAvailableProviders(names.as_ptr().cast(), count)?];
    Ok(found)
}

/// Asks for a provider by name, without options.
pub(crate) fn append_provider(builder: &mut SessionBuilder, name: &str) -> ort::Result<()> {
    let name = CString::new(name).map_err(|error| ort::Error::new(error.to_string()))?;
    let options = builder.ptr_mut();
    ortsys![
        unsafe SessionOptionsAppendExecutionProvider(options, name.as_ptr(), ptr::null(), ptr::null(), 0)?
    ];
    Ok(())
}
