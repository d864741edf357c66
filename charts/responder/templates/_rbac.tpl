{{/*
The rights of the enabled steps, from the rows of files/rbac.yaml, which `responder rbac --chart` prints. A row is enabled
when the process, the guard and the playbook can all be beyond Observe. Then requests are sent; in Rehearse, as dry runs.
*/}}

{{/* All YAML documents in a map of texts, as {"documents": […]}. */}}
{{- define "responder.documents" -}}
{{- $documents := list -}}
{{- range $file, $text := . -}}
{{- range regexSplit "(?m)^---(?:[ \\t\\r]|$)" $text -1 -}}
{{- $document := fromYaml . -}}
{{- with $document.Error -}}{{- fail (printf "%s is not YAML: %s" $file .) -}}{{- end -}}
{{- if $document -}}{{- $documents = append $documents $document -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- dict "documents" $documents | toJson -}}
{{- end -}}

{{/* "true" if a mode or one of its exceptions is beyond Observe. */}}
{{- define "responder.beyondObserve" -}}
{{- $beyond := ne (default "Observe" .mode) "Observe" -}}
{{- range .exceptions -}}{{- if ne (default "Observe" .mode) "Observe" -}}{{- $beyond = true -}}{{- end -}}{{- end -}}
{{- if $beyond -}}true{{- end -}}
{{- end -}}

{{/* The rows of a step and of those that run instead of it, as {"rows": […]}. */}}
{{- define "responder.stepRows" -}}
{{- $target := .target -}}
{{- $table := .table -}}
{{- $rows := list -}}
{{- range $action, $parameters := .step -}}
{{- if and (eq $action "otherwise") (kindIs "map" $parameters) -}}
{{- $rows = concat $rows (include "responder.stepRows" (dict "step" $parameters "target" $target "table" $table) | fromJson).rows -}}
{{- else -}}
{{- $row := printf "%s/%s" $action $target -}}
{{- if hasKey $table $row -}}{{- $rows = append $rows $row -}}{{- end -}}
{{- if kindIs "map" $parameters -}}
{{- range $parameter, $value := $parameters -}}
{{- if kindIs "string" $value -}}
{{- $row := printf "%s/%s/%s=%s" $action $target $parameter $value -}}
{{- if hasKey $table $row -}}{{- $rows = append $rows $row -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- dict "rows" $rows | toJson -}}
{{- end -}}

{{/* The documents of the playbooks and of the guard, as {"documents": […]}. */}}
{{- define "responder.allDocuments" -}}
{{- $files := include "responder.playbooks" . | fromJson -}}
{{- if .Values.guard -}}{{- $_ := set $files "guard" (include "responder.text" .Values.guard) -}}{{- end -}}
{{- include "responder.documents" $files -}}
{{- end -}}

{{/* The enabled rows, as {"rows": […]}. */}}
{{- define "responder.rows" -}}
{{- $table := (.Files.Get "files/rbac.yaml" | fromYaml).writes -}}
{{- $rows := dict -}}
{{- range .Values.rbac.actions -}}
{{- if not (hasKey $table .) -}}{{- fail (printf "rbac.actions: unknown action %s; known are: %s" . (keys $table | sortAlpha | join ", ")) -}}{{- end -}}
{{- $_ := set $rows . true -}}
{{- end -}}
{{- $documents := (include "responder.allDocuments" . | fromJson).documents -}}
{{- $guarded := true -}}
{{- range $documents -}}
{{- if and (eq (default "" .kind) "Guard") (kindIs "map" .spec) -}}
{{- $guarded = include "responder.beyondObserve" (dict "mode" .spec.mode "exceptions" .spec.namespaces) | eq "true" -}}
{{- end -}}
{{- end -}}
{{- range $documents -}}
{{- if and $guarded (eq (default "" .kind) "ClusterPlaybook") (kindIs "map" .spec) -}}
{{- if include "responder.beyondObserve" (dict "mode" .spec.mode "exceptions" .spec.rollout) -}}
{{- $target := default "Pod" .spec.target -}}
{{- range .spec.steps -}}
{{- range (include "responder.stepRows" (dict "step" . "target" $target "table" $table) | fromJson).rows -}}
{{- $_ := set $rows . true -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if eq .Values.mode "Observe" -}}{{- $rows = dict -}}{{- end -}}
{{- dict "rows" (keys $rows | sortAlpha) | toJson -}}
{{- end -}}

{{/* A list of rights as rules. Resources with the same verbs share a rule. */}}
{{- define "responder.rules" -}}
{{- $verbs := dict -}}
{{- range . -}}
{{- $key := printf "%s|%s" .group .resource -}}
{{- $_ := set $verbs $key (append (default list (get $verbs $key)) .verb | uniq) -}}
{{- end -}}
{{- $resources := dict -}}
{{- range $key := keys $verbs | sortAlpha -}}
{{- $parts := splitList "|" $key -}}
{{- $rule := printf "%s|%s" (first $parts) (get $verbs $key | sortAlpha | join ", ") -}}
{{- $_ := set $resources $rule (append (default list (get $resources $rule)) (last $parts)) -}}
{{- end -}}
{{- range $rule := keys $resources | sortAlpha }}
{{- $parts := splitList "|" $rule }}
- apiGroups: [{{ first $parts | quote }}]
  resources: [{{ get $resources $rule | join ", " }}]
  verbs: [{{ last $parts }}]
{{- end }}
{{- end -}}
