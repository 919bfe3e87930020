# frozen_string_literal: true

require "fileutils"
require "json"
require "time"

module Bench
  # The results for people (markdown) and for programs (JSON).
  class Report
    HEADINGS = ["clients", "server", "req/s", "p50", "p99", "CPU a request", "PSS", "req/s : ours", "CPU : ours",
                "PSS : ours"].freeze

    # One line of progress for a Measurement.
    def self.line(taken)
      format("%-8<app>s %-11<server>s round %<round>d  c=%-4<connections>d %8.0<per_second>f req/s  " \
             "%7.1<cpu>f us CPU  %<fault>s", taken.to_h)
    end

    def initialize(machine:, settings:, commands:, own_cost:, measurements:, rows:)
      @machine = machine
      @settings = settings
      @commands = commands
      @own_cost = own_cost
      @measurements = measurements
      @rows = rows
      @date = Time.now.utc
    end

    # Writes NAME-DATE.json and .md into +folder+; returns their paths.
    def write(folder, name)
      FileUtils.mkdir_p(folder)
      base = File.join(folder, "#{name}-#{@date.strftime('%Y%m%d-%H%M%S')}")
      File.write("#{base}.json", JSON.pretty_generate(to_h))
      File.write("#{base}.md", to_markdown)
      ["#{base}.json", "#{base}.md"]
    end

    def to_h
      { date: @date.iso8601, machine: @machine, settings: @settings.to_h, servers: versions, summary: @rows,
        own_cost: @own_cost, measurements: @measurements.map(&:to_h) }
    end

    def to_markdown
      [heading, *@rows.group_by { |row| row[:app] }.map { |app, rows| table(app, rows) }, own_cost].compact.join("\n")
    end

    private

    def versions
      @versions ||= @commands.transform_values { |command| { version: command.version_line, command: command.to_s } }
    end

    def heading
      settings = @settings.to_h
      <<~TEXT
        # Ruby servers, #{@date.strftime('%Y-%m-%d')}

        #{@machine.map { |name, value| "- #{name}: #{value}" }.join("\n")}
        - #{settings[:workers]} workers each, servers in turn, medians of #{settings[:rounds]} rounds of #{settings[:seconds]} s

        #{versions.map { |name, server| "- **#{name}** (#{server[:version]}): `#{server[:command]}`" }.join("\n")}
      TEXT
    end

    def table(app, rows)
      lines = rows.map { |row| "| #{row[:connections]} | #{row[:server]} | #{cells(row).join(' | ')} |" }
      "## #{app}\n\n| #{HEADINGS.join(' | ')} |\n|#{'---|' * HEADINGS.size}\n#{lines.join("\n")}\n"
    end

    def cells(row)
      return ["**invalid**: #{row[:fault]}", *[""] * (HEADINGS.size - 3)] if row[:fault]

      ratios = row.values_at(:per_second_ratio, :cpu_ratio, :pss_ratio)
      [row[:per_second].round, milliseconds(row[:p50]), milliseconds(row[:p99]), format("%.1f µs", row[:cpu]),
       format("%.1f MB", row[:pss] / 1024.0), *ratios.map { |ratio| ratio ? format("%.2f", ratio) : "" }]
    end

    def milliseconds(microseconds) = format("%.2f ms", microseconds / 1000.0)

    def own_cost
      return unless @own_cost

      <<~TEXT
        ## Ours alone (hello)

        #{memory('idle after start', @own_cost[:idle])}
        #{memory('idle after load', @own_cost[:idle_after_load])}

        System calls a request at c=#{Syscalls::CONNECTIONS}, all processes: **#{@own_cost[:syscalls][:total]}**
        (#{@own_cost[:syscalls][:by_name].map { |name, count| "#{name} #{count}" }.join(', ')})
      TEXT
    end

    def memory(moment, processes)
      processes.map do |role, kib|
        "- #{role}, #{moment}: #{kib[:private]} KiB private (#{kib[:private_dirty]} dirty), #{kib[:pss]} PSS"
      end.join("\n")
    end
  end
end
