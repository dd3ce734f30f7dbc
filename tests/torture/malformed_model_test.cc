// Model files with one thing wrong, made from good ones: the status and a word of the message for each kind, from a file
// and from memory, quickly, in little memory and without a leak. The unit tests of src/io cover the container in more
// detail; these rows say what a caller of nf_model_load sees.
#include <ctime>
#include <fstream>
#include <functional>

#include "tests/abi/abi_support.h"
#include "tests/torture/model_bytes.h"

namespace abi_test {
namespace {

using namespace libnf::test;
using libnf::TensorType;

// Tensors of every kind: weights, data-dependent ones with their flags, a permutation, a sign.
constexpr char kMixed[] =
    R"({"event": [4], "layers": [{"type": "standardize"}, {"type": "actnorm"}, {"type": "shuffle"},
  {"type": "plu_linear"}, {"type": "batch_norm"}, {"type": "affine_coupling", "hidden": [3]}]})";
constexpr double kSeconds = kSanitized ? 60 : 6;  // of CPU; usually far below 1
constexpr int64_t kMostBytes = int64_t{16} << 20;

struct Kind {
  const char* name;
  nf_status status;
  const char* word;  // the message has it
  std::function<std::string(const std::string& good)> make;
};

// Edits what a file holds.
template <class F>
auto content(F edit) {
  return [edit](const std::string& good) {
    Pieces p = taken_apart(good);
    edit(p);
    return put_together(p);
  };
}
// Edits the text of the header.
template <class F>
auto header(F edit) {
  return [edit](const std::string& good) { return with_header(good, edit(header_of(good))); };
}
auto in_header(const char* from, const std::string& to) {
  return header([=](const std::string& h) { return replaced(h, from, to); });
}
auto spec(const std::string& text) {
  return content([=](Pieces& p) { p.metadata["nf.spec"] = text; });
}
auto in_spec(const char* from, const std::string& to) {
  return content([=](Pieces& p) { p.metadata["nf.spec"] = replaced(p.metadata["nf.spec"], from, to); });
}
auto layers(const std::string& list, const char* event = "[4]") {
  return spec(std::string("{\"event\": ") + event + ", \"layers\": [" + list + "]}");
}
auto number(const char* tensor, size_t at, float v) {
  return content([=](Pieces& p) { p.tensor(tensor).set(at, v); });
}
auto length(uint64_t n) {
  return [=](std::string file) {
    std::memcpy(file.data(), &n, sizeof n);
    return file;
  };
}
std::string repeat(int64_t n, const std::string& inner) {
  return "{\"repeat\": " + std::to_string(n) + ", \"layers\": [" + inner + "]}";
}

constexpr char kWeight[] = "layers.5.net.output.weight";

const std::vector<Kind>& container() {
  static const std::vector<Kind> all = {
      {"nothing", NF_ERR_FORMAT, "its size is 0", [](const std::string&) { return std::string(); }},
      {"seven bytes", NF_ERR_FORMAT, "7", [](const std::string& f) { return f.substr(0, 7); }},
      {"a header of no bytes", NF_ERR_FORMAT, "header", length(0)},
      {"a header beyond the end", NF_ERR_FORMAT, "follow", length(1 << 20)},
      {"a header of 2^63 bytes", NF_ERR_FORMAT, "not a safetensors file", length(uint64_t{1} << 63)},
      {"a header of -1 bytes", NF_ERR_FORMAT, "not a safetensors file", length(UINT64_MAX)},
      {"a header 8 bytes too long", NF_ERR_FORMAT, "byte",
       [](const std::string& f) { return length(header_of(f).size() + 8)(f); }},
      {"a header 8 bytes too short", NF_ERR_FORMAT, "byte",
       [](const std::string& f) { return length(header_of(f).size() - 8)(f); }},
      {"a byte order mark", NF_ERR_FORMAT, "'{'", header([](const std::string& h) { return "\xEF\xBB\xBF" + h; })},
      {"NUL after the header", NF_ERR_FORMAT, "NUL",
       header([](const std::string& h) { return h + std::string(8, '\0'); })},
      {"NUL in a name", NF_ERR_FORMAT, "NUL", in_header("\"layers.0.", "\"\\u0000layers.0.")},
      {"a name that is not UTF-8", NF_ERR_FORMAT, "UTF-8", in_header("\"layers.0.", "\"\xFFlayers.0.")},
      {"half a surrogate", NF_ERR_FORMAT, "byte", in_header("\"layers.0.", "\"\\ud800layers.0.")},
      {"a comment", NF_ERR_FORMAT, "byte", header([](const std::string& h) { return "{/**/" + h.substr(1); })},
      {"deep JSON", NF_ERR_FORMAT, "array",
       header([](const std::string& h) { return "{\"a\":" + std::string(1 << 20, '[') + h.substr(1); })},
      {"a tensor twice", NF_ERR_FORMAT, "twice", header([](const std::string& h) {
         const size_t at = h.find(",\"layers");
         return replaced(h, h.substr(at), h.substr(at, h.find('}', at) + 1 - at) + h.substr(at));
       })},
      {"metadata twice", NF_ERR_FORMAT, "twice", in_header("\"nf.format\"", "\"nf.format\":\"1\",\"nf.format\"")},
      {"no checksum", NF_ERR_CHECKSUM, "nf.checksum", in_header("nf.checksum", "nf.checksim")},
      {"a checksum of other content", NF_ERR_CHECKSUM, "damaged", in_header("nf.checksum\":\"", "nf.checksum\":\"0")},
      {"a weight that changed", NF_ERR_CHECKSUM, "damaged",
       [](std::string f) {
         f.back() = static_cast<char>(f.back() ^ 1);
         return f;
       }},
      {"offsets beyond the end", NF_ERR_FORMAT, "are not within",
       in_header("\"data_offsets\":[0,", "\"data_offsets\":[9000000,")},
      {"offsets near 2^64", NF_ERR_FORMAT, "are not within",
       in_header("\"data_offsets\":[0,", "\"data_offsets\":[18446744073709551600,")},
      {"a negative offset", NF_ERR_FORMAT, "data_offsets", in_header("\"data_offsets\":[0,", "\"data_offsets\":[-4,")},
      {"a fraction as offset", NF_ERR_FORMAT, "data_offsets",
       in_header("\"data_offsets\":[0,", "\"data_offsets\":[0.5,")},
      {"an overlap", NF_ERR_FORMAT, "", header([](const std::string& h) {
         // The second tensor starts where the first does, with a size that fits its shape.
         const std::string key = "\"data_offsets\":[";
         const size_t first = h.find(key), second = h.find(key, first + 1);
         return h.substr(0, second) + h.substr(first, h.find(']', first) - first) + h.substr(h.find(']', second));
       })},
      {"extents whose product overflows", NF_ERR_FORMAT, "overflows",
       in_header("\"shape\":[4]", "\"shape\":[4294967296,4294967296,4294967296]")},
      {"an extent of 2^63", NF_ERR_FORMAT, "2^63", in_header("\"shape\":[4]", "\"shape\":[9223372036854775808]")},
      {"a negative extent", NF_ERR_FORMAT, "negative", in_header("\"shape\":[4]", "\"shape\":[-4]")},
      {"an extent larger than the data", NF_ERR_FORMAT, "need", in_header("\"shape\":[4]", "\"shape\":[5]")},
      {"nine dimensions", NF_ERR_FORMAT, "more than 8", in_header("\"shape\":[4]", "\"shape\":[4,1,1,1,1,1,1,1,1]")},
      {"half precision", NF_ERR_FORMAT, "F16", in_header("\"F32\"", "\"F16\"")},
      {"a hole between header and data", NF_ERR_FORMAT, "hole",
       [](const std::string& f) {
         std::string h = header_of(f);  // all offsets 4 bytes later
         std::string moved;
         const std::string key = "\"data_offsets\":[";
         size_t at = 0;
         for (size_t next; (next = h.find(key, at)) != std::string::npos;) {
           char* end;
           const unsigned long long a = std::strtoull(h.c_str() + next + key.size(), &end, 10),
                                    b = std::strtoull(end + 1, &end, 10);
           moved += h.substr(at, next - at) + key + std::to_string(a + 4) + "," + std::to_string(b + 4);
           at = static_cast<size_t>(end - h.c_str());
         }
         return with_header(f.substr(0, 8) + h + std::string(4, '\0') + f.substr(8 + h.size()), moved + h.substr(at));
       }},
      {"bytes after the data", NF_ERR_FORMAT, "data", [](const std::string& f) { return f + "junk"; }},
      {"another file after it", NF_ERR_FORMAT, "data", [](const std::string& f) { return f + f; }},
  };
  return all;
}

const std::vector<Kind>& tensors() {
  const float nan = std::nanf(""), inf = INFINITY;
  static const std::vector<Kind> all = {
      {"a weight of NaN", NF_ERR_NUMERIC, kWeight, number(kWeight, 2, nan)},
      {"a weight of infinity", NF_ERR_NUMERIC, "index 2", number(kWeight, 2, inf)},
      {"a weight of -infinity", NF_ERR_NUMERIC, "not finite", number("layers.1.shift", 0, -inf)},
      {"a missing tensor", NF_ERR_FORMAT, "missing", content([](Pieces& p) { p.erase("layers.1.shift"); })},
      {"no tensor at all", NF_ERR_FORMAT, "missing", content([](Pieces& p) { p.tensors.clear(); })},
      {"a tensor too many", NF_ERR_FORMAT, "not part of the spec", content([](Pieces& p) {
         p.tensors.push_back({"layers.9.shift", TensorType::f32, {0}, ""});
       })},
      {"another name", NF_ERR_FORMAT, "layers.1.shift",
       content([](Pieces& p) { p.tensor("layers.1.shift").name = "layers.1.Shift"; })},
      {"two names exchanged", NF_ERR_FORMAT, "extents",
       content([](Pieces& p) { std::swap(p.tensor("layers.1.shift").name, p.tensor(kWeight).name); })},
      {"one more column", NF_ERR_FORMAT, "layers.1.shift", content([](Pieces& p) {
         p.tensor("layers.1.shift").shape = {5};
         p.tensor("layers.1.shift").data.resize(20);
       })},
      {"the right number of elements in another shape", NF_ERR_FORMAT, "layers.1.shift", content([](Pieces& p) {
         p.tensor("layers.1.shift").shape = {2, 2};
       })},
      {"a transposed matrix", NF_ERR_FORMAT, kWeight, content([](Pieces& p) {
         auto& shape = p.tensor(kWeight).shape;
         std::swap(shape[0], shape[1]);
       })},
      {"float64 in a float32 model", NF_ERR_FORMAT, "F64", content([](Pieces& p) {
         p.tensor("layers.1.shift").type = TensorType::f64;
         p.tensor("layers.1.shift").data.resize(32);
       })},
      {"integers", NF_ERR_FORMAT, "U64", content([](Pieces& p) {
         p.tensor("layers.1.shift").type = TensorType::u64;
         p.tensor("layers.1.shift").data.resize(32);
       })},
      {"bytes with the name of weights", NF_ERR_FORMAT, "U8", content([](Pieces& p) {
         p.tensor("layers.1.shift").type = TensorType::u8;
         p.tensor("layers.1.shift").data.resize(4);
       })},
      {"a column twice in a permutation", NF_ERR_FORMAT, "not a permutation", content([](Pieces& p) {
         auto& order = p.tensor("layers.3.permutation");
         order.set(0, order.at<float>(1));
       })},
      {"a column out of range", NF_ERR_FORMAT, "not a permutation", number("layers.3.permutation", 3, 4)},
      {"a negative column", NF_ERR_FORMAT, "not a permutation", number("layers.3.permutation", 3, -1)},
      {"half a column", NF_ERR_FORMAT, "not a permutation", number("layers.3.permutation", 3, 0.5f)},
      {"a column of 1e30", NF_ERR_FORMAT, "not a permutation", number("layers.3.permutation", 3, 1e30f)},
      {"a sign of 0", NF_ERR_FORMAT, "1 or -1", number("layers.3.sign", 0, 0)},
      {"a flag of 2", NF_ERR_FORMAT, "0 or 1", number("layers.1.initialized", 0, 2)},
      {"a standard deviation of 0", NF_ERR_FORMAT, "positive", number("layers.0.std", 1, 0)},
      {"a negative variance", NF_ERR_FORMAT, "0 or more", number("layers.4.running_var", 1, -1e-30f)},
  };
  return all;
}

const std::vector<Kind>& specs() {
  static const std::vector<Kind> all = {
      {"no format", NF_ERR_FORMAT, "nf.format", content([](Pieces& p) { p.metadata.erase("nf.format"); })},
      {"no spec", NF_ERR_FORMAT, "nf.spec", content([](Pieces& p) { p.metadata.erase("nf.spec"); })},
      {"a later format", NF_ERR_VERSION, "format \"2\"", content([](Pieces& p) { p.metadata["nf.format"] = "2"; })},
      {"a format with a tail", NF_ERR_VERSION, "format", content([](Pieces& p) { p.metadata["nf.format"] = "1 "; })},
      {"a long format", NF_ERR_VERSION, "format",
       content([](Pieces& p) { p.metadata["nf.format"] = std::string(1 << 20, '1'); })},
      {"an empty spec", NF_ERR_FORMAT, "spec", spec("")},
      {"a spec that is no object", NF_ERR_FORMAT, "object", spec("[]")},
      {"a spec with a byte order mark", NF_ERR_FORMAT, "spec", spec("\xEF\xBB\xBF{\"event\": 2, \"layers\": []}")},
      {"a deep spec", NF_ERR_FORMAT, "deep", spec(std::string(100000, '['))},
      {"a spec of 2 MB", NF_ERR_FORMAT, "spec", spec("{\"event\": 4, \"layers\": []}" + std::string(2 << 20, ' '))},
      {"a key twice in the spec", NF_ERR_FORMAT, "twice", in_spec("\"event\"", "\"event\":[4],\"event\"")},
      {"an unknown layer", NF_ERR_FORMAT, "actnrom", in_spec("actnorm", "actnrom")},
      {"an unknown field", NF_ERR_FORMAT, "evnt", in_spec("\"event\"", "\"evnt\"")},
      {"one column more in the spec", NF_ERR_FORMAT, "extents", in_spec("\"event\":[4]", "\"event\":[5]")},
      {"a context", NF_ERR_FORMAT, "extents", in_spec("\"context\":[0]", "\"context\":[2]")},
      {"a layer more", NF_ERR_FORMAT, "missing", in_spec("\"layers\":[", "\"layers\":[{\"type\":\"actnorm\"},")},
      {"another layer", NF_ERR_FORMAT, "seed", in_spec("{\"type\":\"shuffle\"", "{\"type\":\"reverse\"")},
      {"float64 in the spec", NF_ERR_FORMAT, "F32", in_spec("\"dtype\":\"float32\"", "\"dtype\":\"float64\"")},
      {"wider layers", NF_ERR_FORMAT, "extents", in_spec("\"hidden\":[3]", "\"hidden\":[4]")},
      {"a million repetitions", NF_ERR_FORMAT, "repeat", layers(repeat(1000000, "{\"type\": \"actnorm\"}"))},
      {"repetitions in repetitions", NF_ERR_FORMAT, "10000",
       layers(repeat(9999, repeat(9999, repeat(9999, repeat(9999, "{\"type\": \"reverse\"}")))))},
      {"repetitions of nothing", NF_ERR_FORMAT, "layers and chains",
       layers(repeat(9999, repeat(9999, repeat(9999, repeat(9999, "")))))},
      {"a chain of nothing, often, around one layer", NF_ERR_FORMAT, "layers and chains", layers([] {
         std::string list = R"({"type": "reverse"})";
         for (int i = 0; i < 50000; ++i) list += ", {\"layers\": []}";
         return repeat(10000, list);
       }())},
      {"repetitions in a posterior", NF_ERR_FORMAT, "10000 layers",
       spec(R"({"kind": "vae", "event": 2, "latent": 2, "posterior": {"layers": [)" +
            repeat(9999, repeat(9999, repeat(9999, R"({"type": "reverse"})"))) + "]}}")},
      {"a wide posterior, many times", NF_ERR_FORMAT, "limit",
       spec(R"({"kind": "vae", "event": 2, "latent": 16777216, "prior": {"layers": [)" +
            repeat(9999, R"({"type": "reverse"})") + "]}}")},
      {"mixtures of mixtures", NF_ERR_FORMAT, "spec.base.members", spec([] {
         std::string base = "\"normal\"";
         for (int i = 0; i < 9; ++i) base = R"({"type": "flow_mixture", "members": 1000, "base": )" + base + "}";
         return R"({"event": 2, "layers": [], "base": )" + base + "}";
       }())},
      {"repetitions of nothing in a mixture", NF_ERR_FORMAT, "layers and chains",
       spec(R"({"event": 2, "layers": [], "base": {"type": "flow_mixture", "layers": [)" +
            repeat(9999, repeat(9999, repeat(9999, ""))) + "]}}")},
      {"ten thousand layers that the file lacks", NF_ERR_NOMEM, "parameters",
       layers(repeat(10000, "{\"type\": \"affine_coupling\"}"))},
      {"a billion units", NF_ERR_FORMAT, "hidden", layers(R"({"type": "affine_coupling", "hidden": [1000000000]})")},
      {"a million units, squared", NF_ERR_NOMEM, "parameters",
       layers(R"({"type": "affine_coupling", "hidden": [1000000, 1000000]})")},
      {"a hundred thousand units of an autoregressive net", NF_ERR_NOMEM, "parameters",
       layers(R"({"type": "masked_autoregressive", "hidden": [100000, 100000, 100000, 100000]})", "[131072]")},
      {"a hundred thousand columns of an autoregressive spline", NF_ERR_NOMEM, "parameters",
       layers(R"({"type": "spline_autoregressive", "hidden": [100000]})", "[131072]")},
      {"a hundred thousand columns of a coupling spline", NF_ERR_NOMEM, "parameters",
       layers(R"({"type": "spline_coupling", "hidden": [100000]})", "[131072]")},
      {"a hundred thousand columns of splines", NF_ERR_NOMEM, "parameters",
       layers(R"({"type": "spline"})", "[131072]")},
      {"a hundred thousand channels", NF_ERR_NOMEM, "parameters",
       layers(R"({"type": "affine_coupling", "mask": "channel", "net": {"type": "conv", "hidden": [1000]}})",
              "[2, 2, 131072]")},
      {"a hundred thousand columns of an image in patches", NF_ERR_NOMEM, "parameters",
       layers(R"({"type": "affine_coupling", "mask": "checkerboard", "net": {"type": "vit"}})", "[1024, 1024, 1]")},
      {"wide layers, many times", NF_ERR_FORMAT, "limit",
       layers(repeat(1000, "{\"type\": \"reverse\"}"), "[16777216]")},
      {"a wide autoencoder", NF_ERR_NOMEM, "parameters",
       spec(R"({"kind": "vae", "event": [16777216], "latent": 16777216})")},
      {"a million components", NF_ERR_NOMEM, "parameters",
       spec(R"({"event": 1000, "base": {"type": "gaussian_mixture", "components": 1000000}, "layers": []})")},
      {"a wide embedding", NF_ERR_NOMEM, "parameters",
       spec(R"({"event": 2, "context": 16777216, "embedding": {"out": 1000000}, "layers": []})")},
  };
  return all;
}

class Malformed : public Counted {
 protected:
  void SetUp() override {
    Counted::SetUp();
    const std::vector<unsigned char> bytes = bytes_of(model(rt.get(), kMixed).get());
    good_.assign(bytes.begin(), bytes.end());
    nf_model* m = nullptr;
    Err e;
    ASSERT_TRUE(ok(nf_model_load_memory(rt.get(), good_.data(), good_.size(), nullptr, &m, &e), e));
    nf_model_free(m);
    ASSERT_EQ(put_together(taken_apart(good_)), good_);
  }
  void refuse(const Kind& k, const char* source, const std::function<nf_status(nf_model**, nf_error*)>& load) {
    SCOPED_TRACE(std::string(k.name) + ", from " + source);
    nf_model* m = nullptr;
    Err e;
    const int64_t live = allocator.live;
    allocator.peak = live;
    const std::clock_t start = std::clock();
    const nf_status status = load(&m, &e);
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    EXPECT_TRUE(failed(k.status, status, e, k.word));
    EXPECT_EQ(m, nullptr);
    EXPECT_EQ(allocator.live, live) << "leaked";
    EXPECT_LT(allocator.peak - live, kMostBytes) << "bytes for a file that is refused";
    EXPECT_LT(seconds, kSeconds);
    nf_model_free(m);
  }
  // `from_file`: also from a file, as a caller of nf_model_load.
  void refuse_all(const std::vector<Kind>& kinds, bool from_file = true) {
    const TempDir dir;
    const std::string path = dir / "m.safetensors";
    for (const Kind& k : kinds) {
      const std::string bad = k.make(good_);
      ASSERT_NE(bad, good_) << k.name;
      // An exact copy on the heap, so that ASan sees a read beyond the end.
      const std::unique_ptr<char[]> exact(new char[bad.size() + !bad.size()]);
      std::copy(bad.begin(), bad.end(), exact.get());
      refuse(k, "memory", [&](nf_model** m, nf_error* e) {
        return nf_model_load_memory(rt.get(), exact.get(), bad.size(), nullptr, m, e);
      });
      if (!from_file) continue;
      std::ofstream(path, std::ios::binary) << bad;
      refuse(k, "a file",
             [&](nf_model** m, nf_error* e) { return nf_model_load(rt.get(), path.c_str(), nullptr, m, e); });
    }
  }
  std::string good_;
};

TEST_F(Malformed, Containers) { refuse_all(container()); }
TEST_F(Malformed, Tensors) { refuse_all(tensors()); }
TEST_F(Malformed, Specs) { refuse_all(specs(), false); }

}  // namespace
}  // namespace abi_test
