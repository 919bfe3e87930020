# frozen_string_literal: true

# Passenger beside other servers of Python on the same WSGI and ASGI applications, in one run. See bench/README.md.

require_relative "harness/comparison"
require_relative "harness/footprint_table"
require_relative "harness/interruption"
require_relative "harness/load_table"
require_relative "harness/machine"
require_relative "harness/own_cost"
require_relative "harness/report"
require_relative "harness/settings"
require_relative "harness/summary"
require_relative "python_workloads"

settings = Bench::Settings.new(
  ENV, known_apps: Bench::PythonWorkloads::NAMES, known_servers: Bench::PythonWorkloads::SERVERS
)
loads = Bench::PythonWorkloads.new(settings).loads
memory = Bench::PythonWorkloads.new(settings).memory

Bench::Interruption.leave_in_order
Bench::Processes.become_subreaper
machine = Bench::Machine.to_h({ python: Bench::PythonServers.python_version })

measurements = Bench::Comparison.new(settings, loads).run { |taken| puts Bench::Report.line(taken) }
rows = Bench::Summary.rows(measurements, "ours")
footprints = memory ? Bench::Footprint.new(memory, settings.rounds).run { |taken| puts taken.line } : []
footprint_table = Bench::FootprintTable.new(footprints)
hello = loads.find { |workload| workload.name == "hello_wsgi" && workload.commands.key?("ours") }
own_cost = Bench::OwnCost.measure(hello.commands.fetch("ours"), hello.dir) if hello

tables = Bench::LoadTable.all(loads, rows)
tables << footprint_table.to_markdown if memory
tables << Bench::OwnCost.to_markdown(own_cost) if own_cost

report = Bench::Report.new(
  title: "Python servers", machine:, settings:, sections: tables,
  commands: [*loads, memory].compact.map(&:labelled_commands).reduce({}, :merge),
  record: { summary: rows, memory: footprint_table.rows, own_cost:,
            measurements: measurements.map(&:to_h), memory_measurements: footprints.map(&:to_h) }
)
puts "", report.to_markdown
puts "", "Written: #{report.write(File.join(__dir__, 'results'), 'python').join(', ')}"
