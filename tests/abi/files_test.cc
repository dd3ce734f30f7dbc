// Model files and checkpoints: file, memory and stream agree; every truncation, flipped bits, oversize, trailing bytes
// and files of another kind give a defined status and nothing else; a restored trainer continues bit for bit.
#include <cerrno>
#include <fstream>

#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

using Bytes = std::vector<unsigned char>;

// Small, because every byte of its file is tried.
constexpr char kTiny[] = R"({"event": [2], "layers": [{"type": "affine_coupling", "hidden": [2]}]})";

Bytes read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void write(const std::string& path, const Bytes& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<long>(bytes.size()));
}

class Files : public Counted {
 protected:
  // Loads bytes; frees what came of it.
  nf_status load(const Bytes& bytes, nf_error* e, const nf_options* limits = nullptr) {
    nf_model* m = nullptr;
    // An exact copy on the heap, so that ASan sees a read beyond the end.
    const std::unique_ptr<unsigned char[]> exact(new unsigned char[bytes.size() + !bytes.size()]);
    std::copy(bytes.begin(), bytes.end(), exact.get());
    const nf_status status = nf_model_load_memory(rt.get(), exact.get(), bytes.size(), limits, &m, e);
    EXPECT_EQ(m != nullptr, status == NF_OK);
    nf_model_free(m);
    return status;
  }
  static bool defined(nf_status s) {
    return s == NF_ERR_FORMAT || s == NF_ERR_CHECKSUM || s == NF_ERR_SPEC || s == NF_ERR_VERSION;
  }
  TempDir dir;
};

TEST_F(Files, FileMemoryAndStreamAgree) {
  const Model m = model(rt.get());
  const std::string path = dir / "m.safetensors";
  Err e;
  ASSERT_TRUE(ok(nf_model_save(m.get(), path.c_str(), &e), e));
  const Bytes file = read(path);
  EXPECT_EQ(file, bytes_of(m.get()));
  EXPECT_EQ(file, bytes_of(model(rt.get()).get())) << "equal models give equal bytes";
  nf_model *a = nullptr, *b = nullptr;
  ASSERT_TRUE(ok(nf_model_load(rt.get(), path.c_str(), nullptr, &a, &e), e));
  const Model from_file(a);
  ASSERT_TRUE(ok(nf_model_load_memory(rt.get(), file.data(), file.size(), nullptr, &b, &e), e));
  const Model from_memory(b);
  for (const nf_model* loaded : {a, b}) {
    EXPECT_EQ(nf_model_hash(loaded), nf_model_hash(m.get()));
    EXPECT_STREQ(nf_model_spec(loaded), nf_model_spec(m.get()));
    EXPECT_EQ(bytes_of(loaded), file);
  }
  Tensor x = banana(100), want({100}), got({100});
  ASSERT_TRUE(ok(nf_log_prob(session(m.get()).get(), x.view(), nullptr, want.view(), &e), e));
  ASSERT_TRUE(ok(nf_log_prob(session(b).get(), x.view(), nullptr, got.view(), &e), e));
  EXPECT_TRUE(same_bits(want.v, got.v));
}

TEST_F(Files, MemoryOfAnyAlignment) {
  const Bytes file = bytes_of(model(rt.get()).get());
  Bytes room(file.size() + 8);
  for (size_t shift = 1; shift < 8; ++shift) {
    std::copy(file.begin(), file.end(), room.begin() + static_cast<long>(shift));
    nf_model* m = nullptr;
    Err e;
    EXPECT_TRUE(ok(nf_model_load_memory(rt.get(), room.data() + shift, file.size(), nullptr, &m, &e), e)) << shift;
    nf_model_free(m);
  }
}

TEST_F(Files, EveryTruncation) {
  const Bytes file = bytes_of(model(rt.get(), kTiny).get());
  Err e;
  ASSERT_TRUE(ok(load(file, &e), e));
  for (size_t n = 0; n < file.size(); ++n) {
    const nf_status status = load(Bytes(file.begin(), file.begin() + static_cast<long>(n)), &e);
    ASSERT_TRUE(failed(NF_ERR_FORMAT, status, e)) << "cut to " << n << " of " << file.size() << " bytes";
  }
  const std::string path = dir / "cut.safetensors";
  for (size_t n : {size_t{0}, size_t{1}, size_t{8}, file.size() / 2, file.size() - 1}) {
    write(path, Bytes(file.begin(), file.begin() + static_cast<long>(n)));
    nf_model* m = nullptr;
    EXPECT_TRUE(failed(NF_ERR_FORMAT, nf_model_load(rt.get(), path.c_str(), nullptr, &m, &e), e)) << n;
  }
}

TEST_F(Files, EveryFlippedBit) {
  const Bytes file = bytes_of(model(rt.get(), kTiny).get());
  uint64_t header = 0;
  memcpy(&header, file.data(), 8);
  ASSERT_LT(header, file.size());
  Err e;
  const size_t step = kSanitized ? 7 : 1;
  for (size_t bit = 0; bit < 8 * file.size(); bit += bit < 8 * (8 + header) ? step : 3 * step) {
    Bytes bad = file;
    bad[bit / 8] = static_cast<unsigned char>(bad[bit / 8] ^ (1u << bit % 8));
    const nf_status status = load(bad, &e);
    ASSERT_TRUE(defined(status)) << nf_status_name(status) << " with bit " << bit % 8 << " of byte " << bit / 8
                                 << " flipped: " << e.message;
    ASSERT_TRUE(failed(status, status, e));
  }
}

TEST_F(Files, BytesThatAreTooMany) {
  const Bytes file = bytes_of(model(rt.get(), kTiny).get());
  Err e;
  for (size_t extra : {1, 8, 4096}) {
    Bytes longer = file;
    longer.resize(file.size() + extra);
    EXPECT_TRUE(failed(NF_ERR_FORMAT, load(longer, &e), e)) << extra;
  }
  const Options small = options({{"load.max_file_bytes", "100"}});
  const nf_status status = load(file, &e, small.get());
  EXPECT_EQ(status, NF_ERR_IO);
  EXPECT_EQ(e.os_errno, EFBIG);
  EXPECT_TRUE(failed(status, status, e, "max_file_bytes"));
  const std::string path = dir / "m.safetensors";
  write(path, file);
  nf_model* m = nullptr;
  EXPECT_EQ(nf_model_load(rt.get(), path.c_str(), small.get(), &m, &e), status);
  EXPECT_TRUE(failed(status, status, e, "limit"));
  const Options enough = options({{"load.max_file_bytes", std::to_string(file.size()).c_str()}});
  EXPECT_TRUE(ok(load(file, &e, enough.get()), e));
}

// Headers that lie, by hand: sizes near 2^64, no header, not JSON, files of other kinds.
TEST_F(Files, FilesThatAreSomethingElse) {
  auto with_length = [](uint64_t n, const std::string& rest) {
    Bytes b(sizeof(n) + rest.size());
    memcpy(b.data(), &n, sizeof(n));
    std::copy(rest.begin(), rest.end(), b.begin() + sizeof(n));
    return b;
  };
  const std::string nested(20000, '[');
  const Bytes cases[] = {
      {},
      with_length(0, ""),
      with_length(UINT64_MAX, "{}"),
      with_length(UINT64_MAX - 7, "{}"),
      with_length(uint64_t{1} << 62, "{}"),
      with_length(2, "{}"),
      with_length(2, "[]"),
      with_length(nested.size(), nested),
      with_length(4, "null"),
      Bytes(4096, 0),
      Bytes(4096, 0xff),
  };
  Err e;
  for (const Bytes& c : cases) {
    const nf_status status = load(c, &e);  // CHECKSUM: well formed, but not ours
    EXPECT_TRUE(status == NF_ERR_FORMAT || status == NF_ERR_CHECKSUM) << nf_status_name(status);
    EXPECT_TRUE(failed(status, status, e)) << c.size() << " bytes";
  }
  const std::string npy = dir / "x.npy";
  ASSERT_TRUE(ok(nf_table_save(banana(10).view(), npy.c_str(), nullptr, &e), e));
  EXPECT_TRUE(failed(NF_ERR_FORMAT, load(read(npy), &e), e)) << "an npy file";
  const std::string other = dir / "x.txt";
  EXPECT_TRUE(failed(NF_ERR_ARGUMENT, nf_table_save(banana(10).view(), other.c_str(), nullptr, &e), e, ".npy or .csv"));
  EXPECT_FALSE(std::filesystem::exists(other));
}

TEST_F(Files, OperatingSystemErrors) {
  const Model m = model(rt.get());
  nf_model* out = nullptr;
  Err e;
  const std::string missing = dir / "none.safetensors", no_dir = dir / "none/m.safetensors", folder = dir / ".";
  EXPECT_TRUE(failed(NF_ERR_IO, nf_model_load(rt.get(), missing.c_str(), nullptr, &out, &e), e, "none.safetensors"));
  EXPECT_EQ(e.os_errno, ENOENT);
  EXPECT_TRUE(failed(NF_ERR_IO, nf_model_save(m.get(), no_dir.c_str(), &e), e, "none/m.safetensors"));
  EXPECT_EQ(e.os_errno, ENOENT);
  EXPECT_EQ(nf_model_load(rt.get(), folder.c_str(), nullptr, &out, &e), NF_ERR_IO);
  EXPECT_EQ(nf_model_save(m.get(), folder.c_str(), &e), NF_ERR_IO);
  EXPECT_NE(nf_model_save(m.get(), "", &e), NF_OK);
  EXPECT_NE(nf_model_save(m.get(), std::string(100000, 'x').c_str(), &e), NF_OK);
  EXPECT_EQ(out, nullptr);
  int64_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files += entry.exists();
  EXPECT_EQ(files, 0) << "a failed save left something behind";
  const nf_write_fn refuse = [](void*, const void*, size_t) -> int32_t { return 7; };
  EXPECT_TRUE(failed(NF_ERR_CALLBACK, nf_model_save_stream(m.get(), refuse, nullptr, &e), e));
}

TEST_F(Files, CheckpointsContinueBitForBit) {
  const std::string path = dir / "c.safetensors";
  const Options bag = options({{"trainer.lr", "0.01"}});
  Tensor x = banana(200);
  Err e;
  auto steps = [&](nf_trainer* t, int n) {
    for (int i = 0; i < n; ++i) ASSERT_TRUE(ok(nf_train_step(t, Batch(x.view()), nullptr, &e), e));
  };
  const Model m = model(rt.get());
  const Trainer t = trainer(m.get(), bag.get());
  steps(t.get(), 7);
  ASSERT_TRUE(ok(nf_trainer_save(t.get(), path.c_str(), &e), e));
  const uint64_t at_save = nf_model_hash(m.get());
  steps(t.get(), 5);

  const Model other = model(rt.get(), kSpec, 99);
  const Trainer resumed = trainer(other.get(), bag.get());
  ASSERT_TRUE(ok(nf_trainer_restore(resumed.get(), path.c_str(), &e), e));
  EXPECT_EQ(nf_trainer_step_count(resumed.get()), 7u);
  EXPECT_EQ(nf_model_hash(other.get()), at_save);
  steps(resumed.get(), 5);
  EXPECT_EQ(nf_model_hash(other.get()), nf_model_hash(m.get()));

  // A checkpoint is a model as well.
  nf_model* loaded = nullptr;
  ASSERT_TRUE(ok(nf_model_load(rt.get(), path.c_str(), nullptr, &loaded, &e), e));
  EXPECT_EQ(nf_model_hash(loaded), at_save);
  nf_model_free(loaded);
}

TEST_F(Files, CheckpointsOfSomethingElseAreRefused) {
  const std::string path = dir / "c.safetensors", plain = dir / "m.safetensors";
  Tensor x = banana(20);
  Err e;
  {
    const Model m = model(rt.get(), kTiny);
    const Trainer t = trainer(m.get());
    ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(x.view()), nullptr, &e), e));
    ASSERT_TRUE(ok(nf_trainer_save(t.get(), path.c_str(), &e), e));
    ASSERT_TRUE(ok(nf_model_save(m.get(), plain.c_str(), &e), e));
  }
  const Model m = model(rt.get());
  const Trainer t = trainer(m.get());
  ASSERT_TRUE(ok(nf_train_step(t.get(), Batch(x.view()), nullptr, &e), e));
  const uint64_t before = nf_model_hash(m.get());
  auto refuse = [&](const std::string& file, const char* what) {
    const nf_status status = nf_trainer_restore(t.get(), file.c_str(), &e);
    EXPECT_TRUE(defined(status) || status == NF_ERR_STATE)
        << what << ": " << nf_status_name(status) << ": " << e.message;
    EXPECT_TRUE(failed(status, status, e)) << what;
    EXPECT_EQ(nf_model_hash(m.get()), before) << what << " changed the model";
    EXPECT_EQ(nf_trainer_step_count(t.get()), 1u) << what;
  };
  refuse(path, "another spec");
  refuse(plain, "a model of another spec");
  ASSERT_TRUE(ok(nf_model_save(m.get(), plain.c_str(), &e), e));
  refuse(plain, "a model without optimiser state");
  const std::string cut = dir / "cut.safetensors";
  const Bytes whole = read(path);
  write(cut, Bytes(whole.begin(), whole.begin() + static_cast<long>(whole.size() / 2)));
  refuse(cut, "a truncated checkpoint");
  EXPECT_TRUE(ok(nf_train_step(t.get(), Batch(x.view()), nullptr, &e), e));
}

// Options that give an optimiser more state are part of what a checkpoint was made with.
TEST_F(Files, CheckpointsOfOtherOptionsAreRefused) {
  const std::string path = dir / "c.safetensors";
  const Model m = model(rt.get()), n = model(rt.get());
  Err e;
  for (const auto& [optimizer, option, value] : {std::tuple("adam", "amsgrad", "true"),
                                                 {"adamw", "amsgrad", "true"},
                                                 {"rmsprop", "centered", "true"},
                                                 {"rmsprop", "momentum", "0.5"},
                                                 {"sgd", "momentum", "0.5"}}) {
    SCOPED_TRACE(std::string(optimizer) + " " + option);
    const Options without = options({{"trainer.optimizer", optimizer}});
    const Options with =
        options({{"trainer.optimizer", optimizer}, {(std::string("trainer.") + option).c_str(), value}});
    for (const bool saved : {false, true}) {
      const Trainer a = trainer(m.get(), (saved ? with : without).get());
      const Trainer b = trainer(n.get(), (saved ? without : with).get());
      ASSERT_TRUE(ok(nf_trainer_save(a.get(), path.c_str(), &e), e));
      const nf_status status = nf_trainer_restore(b.get(), path.c_str(), &e);
      EXPECT_TRUE(failed(NF_ERR_STATE, status, e, std::string("\"") + option + (saved ? "\" on" : "\" off")));
      EXPECT_TRUE(ok(nf_trainer_restore(a.get(), path.c_str(), &e), e));
    }
  }
  const Trainer adam = trainer(m.get()), sgd = trainer(n.get(), options({{"trainer.optimizer", "sgd"}}).get());
  ASSERT_TRUE(ok(nf_trainer_save(adam.get(), path.c_str(), &e), e));
  EXPECT_TRUE(failed(NF_ERR_STATE, nf_trainer_restore(sgd.get(), path.c_str(), &e), e, "optimizer \"adam\""));
}

}  // namespace
}  // namespace abi_test
