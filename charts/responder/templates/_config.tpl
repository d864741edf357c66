{{/* The playbooks by file name, as JSON of texts: those of the library, and those of the values above them. */}}
{{- define "responder.playbooks" -}}
{{- $files := dict -}}
{{- if not .Values.existingPlaybooks -}}
{{- range .Values.library -}}
{{- $text := $.Files.Get (printf "library/%s.yaml" .) -}}
{{- if not $text -}}
{{- fail (printf "library: there is no playbook %s in the chart" .) -}}
{{- end -}}
{{- $_ := set $files (printf "%s.yaml" .) $text -}}
{{- end -}}
{{- range $file, $content := .Values.playbooks -}}
{{- $_ := set $files $file (include "responder.text" $content) -}}
{{- end -}}
{{- if not $files -}}
{{- fail "there is no playbook: name some in library, playbooks or existingPlaybooks" -}}
{{- end -}}
{{- end -}}
{{- toJson $files -}}
{{- end -}}

{{/* A document, or the text of one, as text. */}}
{{- define "responder.text" -}}
{{- if kindIs "string" . -}}{{- . -}}{{- else -}}{{- toYaml . -}}{{- end -}}
{{- end -}}

{{/* What stands in responder.yaml: what the other values ask for, and `config` above it. */}}
{{- define "responder.config" -}}
{{- $http := dict -}}
{{- if .Values.auth.enabled -}}
{{- $bearer := dict "name" "senders" "tokenFile" "/secrets/senders/token" -}}
{{- $basic := dict "user" .Values.auth.user "passwordFile" "/secrets/senders/password" -}}
{{- $_ := set $http "auth" (dict "bearer" (list $bearer) "basic" (list $basic)) -}}
{{- end -}}
{{- if and .Values.tls.clientCertificates (not .Values.tls.secretName) -}}{{- fail "tls.secretName: name the certificate of the server, without which nobody is asked for his own" -}}{{- end -}}
{{- if and .Values.tls.allowedNames (not .Values.tls.clientCertificates) -}}{{- fail "tls.clientCertificates: set it, or tls.allowedNames does nothing" -}}{{- end -}}
{{- if .Values.tls.secretName -}}
{{- $tls := dict "certificateFile" "/secrets/tls/tls.crt" "keyFile" "/secrets/tls/tls.key" -}}
{{- if .Values.tls.clientCertificates -}}
{{- $_ := set $tls "clientCaFile" "/secrets/tls/ca.crt" -}}
{{- if not .Values.tls.allowedNames -}}{{- fail "tls.allowedNames: name whose certificates are taken" -}}{{- end -}}
{{- $_ := set $tls "allowedNames" .Values.tls.allowedNames -}}
{{- end -}}
{{- $_ := set $http "tls" $tls -}}
{{- end -}}
{{- $config := dict -}}
{{- if $http -}}{{- $_ := set $config "http" $http -}}{{- end -}}
{{- $config = mustMergeOverwrite $config (deepCopy .Values.config) -}}
{{- if $config -}}
{{- mustMergeOverwrite (dict "apiVersion" "responder.dev/v1alpha1" "kind" "Configuration") $config | toYaml -}}
{{- end -}}
{{- end -}}
