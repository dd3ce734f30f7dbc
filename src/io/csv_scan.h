// Splits CSV text into rows and cells: handles quotes, line ends and line numbers, but does not parse numbers.
// Internal to the CSV reader; csv.h describes the dialect.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace libnf {

class CsvScanner {
 public:
  // A separator ' ' stands for any run of spaces and tabs.
  CsvScanner(std::string_view text, char separator, const char* source)
      : text_(text), separator_(separator), source_(source) {}

  // Moves to the next row, skipping blank lines. Returns false at the end of the text; else call cell() while more().
  bool next_row();
  bool more() const { return more_; }
  std::string_view cell();                        // unquoted, or trimmed if it had no quotes; valid until the next call
  bool quoted() const { return quoted_; }         // whether the last cell had quotes
  int64_t line() const { return cell_line_; }     // of the start of the last cell, from 1
  int64_t row_line() const { return row_line_; }  // of the start of the row
  int64_t column() const { return column_; }      // of the last cell, from 1

 private:
  bool ends_cell(char c) const { return c == separator_ || c == '\n' || c == '\r' || (c == '\t' && separator_ == ' '); }
  std::string_view quoted_cell();
  void end_cell();    // call at a separator, a line end or the end
  void skip_break();  // moves behind the line end at at_: LF, CRLF or CR

  std::string_view text_;
  char separator_;
  const char* source_;
  size_t at_ = 0;
  int64_t line_ = 1, row_line_ = 1, cell_line_ = 1, column_ = 0;
  bool more_ = false, quoted_ = false;
  std::string unescaped_;
};

}  // namespace libnf
