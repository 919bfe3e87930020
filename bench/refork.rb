# frozen_string_literal: true

# What re-forking saves: the memory of Rails and Django workers that have served, with it and without. See
# bench/README.md.

require_relative "harness/interruption"
require_relative "harness/machine"
require_relative "refork_apps"
require_relative "refork_memory"
require_relative "refork_report"

requests = Integer(ENV.fetch("REQUESTS", "5000"))
rounds = Integer(ENV.fetch("ROUNDS", "3"))
# Several are separated by semicolons, as the option's own values have commas.
settings = ["0", *ENV.fetch("REFORK_AFTER", "50,200").split(";")]
apps = Bench::ReforkApps.new(ENV.fetch("ONLY", "rails,django").split(","))

Bench::Interruption.leave_in_order
Bench::Processes.become_subreaper
machine = Bench::Machine.to_h(apps.languages)

servers = apps.all.map { |app| Bench::ReforkMemory.new(requests:, **app) }
taken = (1..rounds).flat_map do |round|
  servers.product(settings).map { |server, setting| server.take(setting, round).tap { |each| puts each.line } }
end
report = Bench::ReforkReport.new(machine:, requests:, rounds:, taken:)
puts "", report.to_markdown, "", "Written: #{report.write(File.join(__dir__, 'results')).join(', ')}"
