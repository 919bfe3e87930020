# frozen_string_literal: true

# Writes down what `cargo bench -p passenger-agent --bench pool` has measured: what the pool costs a request.

require "fileutils"
require "json"
require_relative "harness/machine"
require_relative "harness/table"

measured = Dir["target/criterion/*/new/benchmark.json"].filter_map do |file|
  what, kind, size = JSON.parse(File.read(file)).fetch("full_id").split("/")
  median = JSON.parse(File.read(File.join(File.dirname(file), "estimates.json"))).fetch("median")
  { what:, kind:, groups: size[/\A\d+/].to_i, workers: size[/\d+\z/].to_i,
    nanoseconds: median.fetch("point_estimate").round(1) }
end
abort "nothing was measured: run `rake bench:pool`" if measured.empty?

columns = [%w[submit short], %w[submit unknown], %w[turn short], %w[turn unknown]]
rows = measured.group_by { |one| one.values_at(:groups, :workers) }.sort.map do |size, ones|
  figures = columns.map do |column|
    one = ones.find { |other| other.values_at(:what, :kind) == column }
    one ? format("%d ns", one[:nanoseconds]) : ""
  end
  [*size, *figures]
end

machine = Bench::Machine.to_h({ rust: `rustc --version`.chomp })
text = <<~TEXT
  # The pool's own work for a request, #{Time.now.utc.strftime('%Y-%m-%d')}

  #{machine.map { |name, value| "- #{name}: #{value}" }.join("\n")}

  Medians. **submit**: from the request to its slot. **turn**: to a worker and back, one request at a time; nearly all of
  it is system calls and wake-ups, which are the same for any number of groups and workers. **short** requests may go
  behind others, **unknown** ones to a free worker only. Half of the workers of each group are busy meanwhile.

  #{Bench::Table.markdown('Time a request', ['groups', 'workers in each', *columns.map { |column| column.join(', ') }], rows)}
TEXT
FileUtils.mkdir_p("bench/results")
base = "bench/results/pool-#{Time.now.utc.strftime('%Y%m%d')}"
File.write("#{base}.json", JSON.pretty_generate({ machine:, measured: }))
File.write("#{base}.md", "#{text.rstrip}\n")
puts text
