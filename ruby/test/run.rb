# frozen_string_literal: true

# Runs the tests of the gem: `ruby ruby/test/run.rb [part of a path ...]`. PASSENGER_RUBY_EXT is the extension to test,
# by default the one that `cargo build -p passenger-ruby` leaves. With GC_STRESS=1 every allocation collects garbage
# while requests are handled; that is for memory errors in the extension, so what does not concern it is left out.

require_relative "support/test_helper"

names = ARGV.grep_v(/\A-/)
names = ["channel"] if names.empty? && ENV["GC_STRESS"]
Dir[File.join(__dir__, "**", "*_test.rb")].each do |file|
  require file if names.empty? || names.any? { |name| file.delete_prefix(__dir__).include?(name) }
end
