#include "src/model/model_file.h"

#include <cstring>

#include "runtime/core/rows.h"
#include "runtime/kernel/reduce.h"
#include "src/model/buffer_check.h"
#include "src/model/model.h"
#include "src/model/self_test.h"

namespace libnf {
namespace {

constexpr char kFormatKey[] = "nf.format";
constexpr char kFormat[] = "1";
constexpr char kSpecKey[] = "nf.spec";
constexpr char kNotePrefix[] = "note.";

TensorType type_of(DType t) { return t == DType::f64 ? TensorType::f64 : TensorType::f32; }

// Returns the tensor of a slot, under its current or older name; nullptr if it is missing.
const SafeTensors::Entry* entry_of(const SafeTensors& file, const ParamSlot& slot) {
  const SafeTensors::Entry* e = file.find(slot.name);
  return e || slot.old_name.empty() ? e : file.find(slot.old_name);
}

}  // namespace

SafeTensors parse_model(std::span<const std::byte> bytes) {
  SafeTensors file = SafeTensors::parse(bytes);
  spec_of(file);
  // libnf always writes one. Without this check, a flipped bit could hide the checksum itself.
  if (!file.metadata(kChecksumKey)) fail(Code::checksum, "the model file has lost its checksum (\"%s\")", kChecksumKey);
  return file;
}

void write_model(ByteSink& sink, const Density& model, const Notes& notes, const Extra& extra) {
  Metadata metadata = extra.metadata;
  metadata[kFormatKey] = kFormat;
  metadata[kSpecKey] = model.canonical();
  for (const auto& [key, value] : notes) metadata[kNotePrefix + key] = value;
  if (!extra.checkpoint.empty()) metadata[kCheckpointKey] = extra.checkpoint;
  std::vector<TensorRef> tensors = extra.tensors;
  const auto& slots = model.params().slots();
  for (size_t i = 0; i < slots.size(); ++i) {
    if (model.params().is_left_out(i)) continue;
    TensorRef t;
    t.name = slots[i].name;
    t.type = type_of(model.dtype());
    t.shape = {slots[i].shape.d, static_cast<size_t>(slots[i].shape.rank)};
    t.data = model.params().view(i).data;
    tensors.push_back(t);
  }
  write_safetensors(sink, metadata, tensors);
}

const std::string& spec_of(const SafeTensors& file) {
  const std::string* format = file.metadata(kFormatKey);
  const std::string* spec = file.metadata(kSpecKey);
  if (!format || !spec)
    fail(Code::format, "a safetensors file, but not a libnf model: its metadata has no \"%s\"",
         format ? kSpecKey : kFormatKey);
  if (*format != kFormat)
    fail(Code::version, "model file format \"%.20s\", this library reads \"%s\"", format->c_str(), kFormat);
  return *spec;
}

void read_params(const SafeTensors& file, Density& model) {
  ParamStore& params = model.params();
  const auto& slots = params.slots();
  for (size_t i = 0; i < slots.size(); ++i) {
    const ParamSlot& slot = slots[i];
    const SafeTensors::Entry* e = entry_of(file, slot);
    if (!e && slot.when_missing) continue;
    if (!e) fail(Code::format, "tensor \"%s\" of the spec is missing from the file", slot.name.c_str());
    const std::span<const int64_t> want{slot.shape.d, static_cast<size_t>(slot.shape.rank)};
    if (e->type != type_of(model.dtype()) || !std::equal(want.begin(), want.end(), e->shape.begin(), e->shape.end()))
      fail(Code::format, "tensor \"%s\" is %s with %zu extents, the spec makes it %s %s", slot.name.c_str(),
           name_of(e->type), e->shape.size(), name_of(model.dtype()), to_string(slot.shape).c_str());
    // Data may be misaligned, so elements are copied one by one for the check.
    with_dtype(model.dtype(), [&]<class T>() {
      for (size_t at = 0; at < e->bytes; at += sizeof(T)) {
        T v;
        std::memcpy(&v, e->data + at, sizeof v);
        if (!kernel::all_finite(&v, 1))
          fail(Code::numeric, "tensor \"%s\" has a value that is not finite at index %zu", slot.name.c_str(),
               at / sizeof(T));
      }
      check_buffer(Code::format, model.invariant(i), slot.name, slot.shape, model.dtype(), [e](int64_t k) {
        T v;
        std::memcpy(&v, e->data + static_cast<size_t>(k) * sizeof v, sizeof v);
        return static_cast<double>(v);
      });
    });
  }
  for (const SafeTensors::Entry& e : file.entries())
    if (e.name.rfind(kOptimizerPrefix, 0) != 0 && params.find(e.name) < 0)
      fail(Code::format, "tensor \"%.80s\" is not part of the spec", e.name.c_str());
  for (size_t i = 0; i < slots.size(); ++i) {
    const SafeTensors::Entry* e = entry_of(file, slots[i]);
    if (!e)
      with_dtype(model.dtype(), [&]<class T>() {
        T* to = params.view(i).as<T>();
        for (const double v : *slots[i].when_missing) *to++ = static_cast<T>(v);
      });
    else if (e->bytes)
      std::memcpy(params.view(i).data, e->data, e->bytes);
  }
}

LoadedModel read_model(const Allocator& allocator, std::span<const std::byte> bytes) {
  const SafeTensors file = parse_model(bytes);
  LoadedModel loaded;
  // Caps the parameters at what the file can hold, so an invalid spec cannot make the loader allocate more. A tensor that
  // files leave out is as large as one that they have.
  const auto held = static_cast<int64_t>(bytes.size() / sizeof(float)) * 2;
  try {
    loaded.model = make_model(allocator, parse_spec(spec_of(file)), 0, held);
  } catch (const Error& e) {
    if (e.code() == Code::spec) fail(Code::format, "the spec in the file is invalid: %s", e.what());
    throw;
  }
  read_params(file, *loaded.model);
  if (const std::string* test = file.metadata(kSelfTestKey)) loaded.self_test = *test;
  const size_t skip = sizeof kNotePrefix - 1;
  for (const auto& [key, value] : file.metadata())
    if (key.rfind(kNotePrefix, 0) == 0) loaded.notes[key.substr(skip)] = value;
  return loaded;
}

}  // namespace libnf
