// Other programs can read our files: plain Python (struct and json only) parses a safetensors and a .npy file.
#include <cstdlib>

#include "src/io/atomic_file.h"
#include "src/io/safetensors.h"
#include "src/io/table.h"
#include "tests/src/io/io_test_util.h"

namespace libnf {
namespace {

using namespace io_test;

constexpr char kScript[] = R"(
import ast, json, struct, sys
data = open(sys.argv[1], 'rb').read()
n, = struct.unpack('<Q', data[:8])
assert n % 8 == 0
header = json.loads(data[8:8 + n].decode('utf-8'))
assert header['__metadata__']['note'] == 'caf\u00e9 "x"\n', header
assert len(header['__metadata__']['nf.checksum']) == 16
def tensor(name, dtype, shape, code):
    t = header[name]
    assert t['dtype'] == dtype and t['shape'] == shape, t
    b, e = t['data_offsets']
    return list(struct.unpack('<' + code, data[8 + n + b:8 + n + e]))
assert tensor('w', 'F32', [2, 2], '4f') == [1.5, -2.0, 0.25, 3.0]
assert tensor('step', 'I64', [], 'q') == [-5]
npy = open(sys.argv[2], 'rb').read()
assert npy[:8] == b'\x93NUMPY\x01\x00'
h, = struct.unpack('<H', npy[8:10])
assert (10 + h) % 64 == 0 and npy[9 + h:10 + h] == b'\n'
d = ast.literal_eval(npy[10:10 + h].decode('latin1'))
assert d == {'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)}, d
assert list(struct.unpack('<4f', npy[10 + h:])) == [1.5, -2.0, 0.25, 3.0]
)";

TEST(Python, ReadsOurFiles) {
  if (std::system("python3 -c pass 2>/dev/null") != 0) GTEST_SKIP() << "no python3";
  const TempDir dir;
  float w[] = {1.5f, -2.0f, 0.25f, 3.0f};
  const int64_t step = -5, shape[] = {2, 2};
  const TensorRef refs[] = {{"w", TensorType::f32, shape, w}, {"step", TensorType::i64, {}, &step}};
  AtomicFile file((dir / "m.safetensors").c_str());
  write_safetensors(file, {{"note", "caf\xC3\xA9 \"x\"\n"}}, refs);
  file.commit();
  save_npy((dir / "m.npy").c_str(), contiguous_view(w, DType::f32, {2, 2}));
  put(dir / "check.py", kScript);
  const std::string command =
      "python3 '" + (dir / "check.py") + "' '" + (dir / "m.safetensors") + "' '" + (dir / "m.npy") + "'";
  EXPECT_EQ(std::system(command.c_str()), 0);
}

}  // namespace
}  // namespace libnf
