# frozen_string_literal: true

require "fileutils"
require "json"
require "time"

module Bench
  # The results for people (markdown) and for programs (JSON).
  class Report
    # One line of progress for a Measurement.
    def self.line(taken)
      format("%-12<app>s %-16<server>s round %<round>d  c=%-4<connections>d %8.0<per_second>f /s  " \
             "%7.1<cpu>f us CPU  %<fault>s", taken.to_h)
    end

    # +commands+ are all that ran, by what they are called in the heading; +sections+ what follows the heading, in
    # markdown; +record+ what the JSON has besides the heading.
    def initialize(title:, machine:, settings:, commands:, sections:, record:)
      @title = title
      @machine = machine
      @settings = settings.to_h
      @commands = commands
      @sections = sections
      @record = record
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

    def to_h = { date: @date.iso8601, machine: @machine, settings: @settings, servers: versions, **@record }

    def to_markdown = [heading, *@sections].join("\n")

    private

    def versions
      @versions ||= @commands.transform_values { |command| { version: command.version_line, command: command.to_s } }
    end

    def heading
      <<~TEXT
        # #{@title}, #{@date.strftime('%Y-%m-%d')}

        #{@machine.map { |name, value| "- #{name}: #{value}" }.join("\n")}
        - #{@settings[:workers]} workers each, servers in turn, medians of #{@settings[:rounds]} rounds of #{@settings[:seconds]} s

        #{versions.map { |name, server| "- **#{name}** (#{server[:version]}): `#{server[:command]}`" }.join("\n")}
      TEXT
    end
  end
end
