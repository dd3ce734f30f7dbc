#include "src/abi/mapped_rows.h"

#include <algorithm>

#include "src/abi/handles.h"

namespace libnf {
namespace {

constexpr size_t kReleaseAfter = size_t{256} << 20;
constexpr size_t kFaultAround = 16 << 10;  // page-cache read-around per random row access (Linux fault-around)

}  // namespace

void MappedRows::watch(RuntimeState& runtime, const View& rows) {
  if (!rows.data) return;
  auto file = runtime.mapping_of(rows.data);
  if (!file) return;
  row_pages_ +=
      static_cast<size_t>(rows.count() / std::max<int64_t>(rows.shape[0], 1) * size_of(rows.dtype)) + kFaultAround;
  if (files_.empty() || files_.back() != file) files_.push_back(std::move(file));
}

void MappedRows::check() const {
  for (const auto& file : files_)
    if (!file->intact()) fail(Code::io, "the mapped file of the rows was truncated by another program");
}

void MappedRows::read(int64_t rows) {
  resident_ += static_cast<size_t>(rows) * row_pages_;
  if (resident_ <= kReleaseAfter) return;
  for (const auto& file : files_) file->release_pages();
  resident_ = 0;
}

}  // namespace libnf
