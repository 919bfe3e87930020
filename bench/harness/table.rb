# frozen_string_literal: true

module Bench
  # Markdown tables.
  module Table
    module_function

    def markdown(title, headings, rows)
      lines = rows.map { |cells| "| #{cells.join(' | ')} |" }
      "## #{title}\n\n| #{headings.join(' | ')} |\n|#{'---|' * headings.size}\n#{lines.join("\n")}\n"
    end

    # For a row with a +fault+: +before+ cells stay what they are, the others say why there are no figures.
    def invalid(before, fault, headings)
      [*before, "**invalid**: #{fault}", *[""] * (headings.size - before.size - 1)]
    end

    def milliseconds(microseconds) = format("%.2f ms", microseconds / 1000.0)
    def megabytes(kib) = format("%.1f MB", kib / 1024.0)
    # Nothing where there is no baseline to compare with.
    def ratio(number) = number ? format("%.2f", number) : ""
  end
end
