// Tokenizer of CSV text; see csv_scan.h. Linear time: reads each byte a constant number of times.
#include "src/io/csv_scan.h"

#include "runtime/core/status.h"
#include "src/io/number.h"

namespace libnf {
namespace {
bool is_blank(char c) { return c == ' ' || c == '\t'; }
}  // namespace

void CsvScanner::skip_break() {
  if (text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n') ++at_;
  ++at_;
  ++line_;
}

bool CsvScanner::next_row() {
  size_t p = at_;
  while (p < text_.size()) {
    if (text_[p] == '\n' || text_[p] == '\r') {
      at_ = p;
      skip_break();
      p = at_;
    } else if (text_[p] == ' ' || (separator_ == ' ' && text_[p] == '\t')) {
      ++p;
    } else {
      row_line_ = line_;
      column_ = 0;
      more_ = true;
      return true;
    }
  }
  at_ = p;
  return false;
}

std::string_view CsvScanner::cell() {
  cell_line_ = line_;
  ++column_;
  quoted_ = false;
  size_t p = at_;
  while (p < text_.size() && is_blank(text_[p]) && (text_[p] == ' ' || separator_ != '\t')) ++p;
  if (p < text_.size() && text_[p] == '"') {
    at_ = p + 1;
    quoted_ = true;
    return quoted_cell();
  }
  const size_t from = separator_ == ' ' ? p : at_;
  while (p < text_.size() && !ends_cell(text_[p])) ++p;
  at_ = p;
  end_cell();
  return trimmed(text_.substr(from, p - from));
}

std::string_view CsvScanner::quoted_cell() {
  const size_t from = at_;
  bool escapes = false;
  size_t p = from;
  for (;; ++p) {
    if (p >= text_.size())
      fail(Code::format, "%s: line %lld, column %lld: an opening quote is never closed", source_,
           static_cast<long long>(cell_line_), static_cast<long long>(column_));
    if (text_[p] == '\n' || (text_[p] == '\r' && (p + 1 == text_.size() || text_[p + 1] != '\n'))) ++line_;
    if (text_[p] != '"') continue;
    if (p + 1 >= text_.size() || text_[p + 1] != '"') break;
    escapes = true;
    ++p;
  }
  std::string_view content = text_.substr(from, p - from);
  if (escapes) {
    unescaped_.clear();
    for (size_t i = 0; i < content.size(); ++i) {
      unescaped_ += content[i];
      if (content[i] == '"') ++i;
    }
    content = unescaped_;
  }
  at_ = p + 1;
  while (at_ < text_.size() && !ends_cell(text_[at_])) {
    if (!is_blank(text_[at_]))
      fail(Code::format, "%s: line %lld, column %lld: text after the closing quote (write \"\" for a quote)", source_,
           static_cast<long long>(cell_line_), static_cast<long long>(column_));
    ++at_;
  }
  end_cell();
  return content;
}

void CsvScanner::end_cell() {
  more_ = false;
  if (separator_ == ' ') {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
    more_ = at_ < text_.size() && text_[at_] != '\n' && text_[at_] != '\r';
    if (more_) return;
  }
  if (at_ >= text_.size()) return;
  if (text_[at_] == '\n' || text_[at_] == '\r') return skip_break();
  more_ = true;
  ++at_;
}

}  // namespace libnf
