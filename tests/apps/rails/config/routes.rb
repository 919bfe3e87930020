# frozen_string_literal: true

Rails.application.routes.draw do
  root "posts#index"
  resources :posts, only: %i[index show new create]

  get "worker", to: "diagnostics#worker"
  get "database", to: "diagnostics#database"
  get "download", to: "diagnostics#download"
  get "live", to: "live#index"
  get "broken", to: "diagnostics#broken"
end
