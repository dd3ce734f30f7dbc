// Views of any dtype, shape, strides and flags over a buffer of known size: a call refuses them, or gives for them what it
// gives for a plain copy of the same numbers. Whether memory is reached outside of the buffer is the sanitizer's to say.
#include <algorithm>

#include "fuzz/random_model.h"

namespace fuzz {
namespace {

constexpr int64_t kBuffer = 64;  // numbers

int64_t small(Bytes& b) {
  const uint8_t kind = b.byte();
  if (kind < 8) return static_cast<int64_t>(b.word());  // of any size
  return kind % 13 - 3;
}

// Whether every element that the view names lies in the buffer. The caller's promise; what breaks it is not called.
bool within(const nf_view& v, int64_t items) {
  if (v.ndim < 0 || v.ndim > 8) return true;  // refused before any number is read
  bool none = false;
  __extension__ __int128 low = 0, high = 0;
  for (int i = 0; i < v.ndim; ++i) {
    if (v.shape[i] < 0) return true;
    none = none || v.shape[i] == 0;
    const __int128 reach = static_cast<__int128>(v.shape[i] - 1) * v.strides[i];
    (reach < 0 ? low : high) += reach;
  }
  return none || (low >= 0 && high < items);
}

void check(Bytes& b) {
  static const nf::Model model(runtime(), R"({"event": [2], "layers": [{"type": "affine_coupling", "hidden": [4]}]})",
                               1);
  static const nf::Model images(runtime(), R"({"event": [2, 1, 2], "layers": [{"type": "actnorm"}]})", 1);
  static nf::Session of_rows = session_of(model), of_images = session_of(images);
  nf::Session& s = b.coin() ? of_rows : of_images;
  std::vector<double> numbers(kBuffer);
  for (double& v : numbers) v = b.number();
  std::vector<float> narrow(numbers.begin(), numbers.end());
  std::vector<uint8_t> bytes(kBuffer);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(b.byte());

  nf_view v = NF_VIEW_INIT;
  constexpr int kDtypes[] = {NF_F32, NF_F64, NF_U8};
  const int64_t which = b.below(5);
  v.dtype = static_cast<nf_dtype>(which < 3 ? kDtypes[which] : b.byte());
  v.data = v.dtype == NF_F32  ? static_cast<const void*>(narrow.data())
           : v.dtype == NF_U8 ? static_cast<const void*>(bytes.data())
                              : numbers.data();
  v.ndim = static_cast<int32_t>(b.below(4) ? 1 + b.below(4) : small(b));
  for (int i = 0; i < 8; ++i) v.shape[i] = b.below(4) ? 1 + b.below(4) : small(b);
  v.flags = b.coin() ? NF_STRIDED : 0;
  if (b.below(16) == 1) v.flags = b.byte();
  if (v.flags & NF_STRIDED) {
    for (int i = 0; i < 8; ++i) v.strides[i] = b.below(3) ? b.below(5) : small(b);
  } else {
    int64_t step = 1;
    for (int i = std::clamp(v.ndim, 0, 8) - 1; i >= 0; --i) {
      v.strides[i] = step;
      int64_t next;
      if (v.shape[i] > 0 && !__builtin_mul_overflow(step, v.shape[i], &next)) step = next;
    }
  }
  if (!within(v, kBuffer)) return;
  const int64_t n = v.ndim > 0 ? std::clamp<int64_t>(v.shape[0], 0, kBuffer) : 0;
  std::vector<double> out(static_cast<size_t>(n), -7);
  const nf_out to = nf_out_vec_f64(out.data(), n);
  nf_error e = NF_ERROR_INIT;
  const nf_status status = nf_log_prob(s.get(), &v, nullptr, &to, &e);
  require(status == NF_OK || status == NF_ERR_ARGUMENT || status == NF_ERR_SHAPE);
  if (status != NF_OK) {
    require(e.message[0] != 0);
    for (const double untouched : out) require(untouched == -7);
    return;
  }
  // A plain copy.
  std::vector<double> plain;
  int64_t index[8] = {};
  int64_t count = 1;
  for (int i = 0; i < v.ndim; ++i) count *= v.shape[i];
  for (int64_t k = 0; k < count; ++k) {
    int64_t at = 0;
    for (int i = 0; i < v.ndim; ++i) at += index[i] * v.strides[i];
    const auto item = static_cast<size_t>(at);
    plain.push_back(v.dtype == NF_F32  ? static_cast<double>(narrow[item])
                    : v.dtype == NF_U8 ? bytes[item]
                                       : numbers[item]);
    for (int i = v.ndim - 1; i >= 0 && ++index[i] == v.shape[i]; --i) index[i] = 0;
  }
  if (n == 0) return;
  require(same_bits(out, s.log_prob<double>(nf::View(plain.data(), n, count / n))));
}

}  // namespace
}  // namespace fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Bytes b(data, size);
  fuzz::check(b);
  return 0;
}
